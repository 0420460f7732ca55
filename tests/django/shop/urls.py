"""No addresses: the views are called as they are."""

from __future__ import annotations

urlpatterns: list[object] = []
