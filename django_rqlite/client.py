"""`manage.py dbshell`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.backends.base.client import BaseDatabaseClient
from django.db.utils import NotSupportedError


class DatabaseClient(BaseDatabaseClient):
    """Runs rqlite's own shell, `rqlite`."""

    executable_name = "rqlite"

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: Mapping[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """The command line of the shell. A password goes with it: the shell knows no other way."""
        from django_rqlite.settings import connection_parameters

        params = connection_parameters(settings_dict)
        if "target" in params:
            raise NotSupportedError(
                "dbshell: the server in this process has no shell. Start it as a process, "
                "python -m rqlite_embedded, and give its HOST and PORT."
            )
        address, _, _ = str(params.get("host", "localhost")).partition(",")
        host, _, named = address.strip().rpartition(":")
        if not host or not named.isdigit():
            host, named = address.strip(), str(params.get("port", 4001))
        args = [cls.executable_name, "-H", host, "-p", named]
        args += ["-s", str(params.get("scheme", "http"))]
        if params.get("user"):
            args += ["-u", f"{params['user']}:{params.get('password') or ''}"]
        if params.get("ca_cert"):
            args += ["-c", str(params["ca_cert"])]
        if params.get("insecure"):
            args.append("-i")
        return [*args, *parameters], None
