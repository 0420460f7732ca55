"""The addresses of the bank."""

from django.contrib import admin
from django.urls import path

from bank.views import balances, transfer

urlpatterns = [
    path("admin/", admin.site.urls),
    path("balances/", balances),
    path("transfer/<str:giver>/<str:taker>/<int:amount>/", transfer),
]
