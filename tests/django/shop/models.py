"""What a shop has."""

from __future__ import annotations

from django.db import models


class Customer(models.Model):
    """Somebody who buys."""

    name = models.CharField(max_length=50, unique=True)
    since = models.DateTimeField(null=True)
    balance = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(balance__gte=-1000), name="limited_debt"),
        )


class Order(models.Model):
    """What somebody has bought."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    at = models.DateTimeField()
    took = models.DurationField(null=True)
    note = models.TextField(default="")
    paid = models.BooleanField(default=False)
    data = models.JSONField(null=True)
