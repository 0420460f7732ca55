"""Accounts, and what was moved between them."""

import uuid

from django.db import models


class Account(models.Model):
    """Somebody's money."""

    owner = models.CharField(max_length=100, unique=True)
    balance = models.IntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(balance__gte=0), name="no_debts"),)

    def __str__(self) -> str:
        return self.owner


class Transfer(models.Model):
    """Money that was moved. Its key is random, so that two transfers at the same time have no key in common."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    giver = models.ForeignKey(Account, models.PROTECT, related_name="given")
    taker = models.ForeignKey(Account, models.PROTECT, related_name="taken")
    amount = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-at",)

    def __str__(self) -> str:
        return f"{self.amount} from {self.giver} to {self.taker}"
