"""The bank over HTTP."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from bank.models import Account, Transfer
from django_rqlite import retry_on_conflict


def balances(request: HttpRequest) -> HttpResponse:
    """All accounts."""
    return JsonResponse(dict(Account.objects.values_list("owner", "balance")))


@csrf_exempt
@require_POST
@retry_on_conflict
def transfer(request: HttpRequest, giver: str, taker: str, amount: int) -> HttpResponse:
    """Move money. Two requests that read the same balance cannot both be committed: one runs again."""
    source = Account.objects.get(owner=giver)
    target = Account.objects.get(owner=taker)
    if source.balance < amount:
        return JsonResponse({"error": f"{giver} has only {source.balance}"}, status=409)
    source.balance -= amount
    target.balance += amount
    source.save()
    target.save()
    Transfer.objects.create(giver=source, taker=target, amount=amount)
    return JsonResponse({giver: source.balance, taker: target.balance})
