"""The Django backend. Settings are made here, before any module of the tests imports a model."""

from __future__ import annotations

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        DATABASES={
            "default": {"ENGINE": "django_rqlite", "NAME": ":memory:"},
            "other": {"ENGINE": "django_rqlite", "NAME": ":memory:"},
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "tests.django.shop"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="for tests",
        ROOT_URLCONF="tests.django.shop.urls",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
    )
    django.setup()
