"""From an entry of settings.DATABASES to the arguments of the driver's `connect`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS

from pyrqlite.options import Options

# What Django's own settings say, or what is Django's to decide.
_TAKEN = {
    "target": "NAME",
    "host": "HOST",
    "port": "PORT",
    "user": "USER",
    "password": "PASSWORD",
    "autocommit": "AUTOCOMMIT",
}
_KNOWN = {field.name for field in dataclasses.fields(Options)} - set(_TAKEN) - {"detect_types"}
_IN_PROCESS = {"fk": True, "extensions": True}


def connection_parameters(
    settings_dict: Mapping[str, Any], alias: str = DEFAULT_DB_ALIAS
) -> dict[str, Any]:
    """The keyword arguments; raises ImproperlyConfigured for settings that cannot be meant."""
    name = settings_dict["NAME"]
    if name and settings_dict["HOST"]:
        raise ImproperlyConfigured(
            "an rqlite cluster holds one database, which has no name: give HOST for a cluster, or NAME for the "
            "server in this process (a path or ':memory:')"
        )
    params = _options(settings_dict)
    if _is_url(name):
        return {**params, "target": name}
    if name:
        params["target"] = in_process_target(name, alias)
        params["embedded"] = {**_IN_PROCESS, **params.get("embedded", {})}
        return params
    for key in ("host", "port", "user", "password"):
        value = settings_dict[key.upper()]
        if value:
            params[key] = value
    if "port" in params:
        params["port"] = _port(params["port"])
    return params


def in_process_target(name: str | os.PathLike[str], alias: str) -> str:
    """What the driver calls the server in this process. One in memory belongs to the alias, and to all threads."""
    path = os.fspath(name)
    if path == ":memory:":
        return f":memory:django-{alias}"
    return path if path.startswith("file:") else f"file:{path}"


def _is_url(name: object) -> bool:
    return isinstance(name, str) and name.startswith(("http://", "https://"))


def _port(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ImproperlyConfigured(f"PORT {value!r} is no number") from None


def _options(settings_dict: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(settings_dict["OPTIONS"])
    for key in options:
        if key in _TAKEN:
            raise ImproperlyConfigured(f"give {_TAKEN[key]} beside OPTIONS, not {key} in it")
        if key == "pool":
            raise ImproperlyConfigured(
                "there is no option pool, and no need of one: all connections of a process to one cluster share "
                "their sockets"
            )
        if key not in _KNOWN:
            raise ImproperlyConfigured(
                f"{key!r} is no option of rqlite: there are {', '.join(sorted(_KNOWN))}"
            )
    level = str(options.get("isolation_level", "")).upper()
    if level == "AUTOCOMMIT":
        raise ImproperlyConfigured(
            "isolation_level AUTOCOMMIT would make atomic() do nothing: choose SERIALIZABLE or READ COMMITTED; "
            "outside of atomic() each statement is applied at once anyway"
        )
    return options
