"""The bank in the admin."""

from django.contrib import admin

from bank.models import Account, Transfer


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    """Accounts, to be looked for by their owners."""

    list_display = ("owner", "balance")
    search_fields = ("owner",)


@admin.register(Transfer)
class TransferAdmin(admin.ModelAdmin):
    """Transfers, by day."""

    list_display = ("giver", "taker", "amount", "at")
    list_filter = ("giver",)
    date_hierarchy = "at"
