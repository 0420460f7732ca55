"""From SQLAlchemy's URLs to the arguments of the driver's connect()."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from pyrqlite import InterfaceError
from pyrqlite.options import option_from_text

if TYPE_CHECKING:
    from sqlalchemy import URL

MEMORY = ":memory:"


def connect_arguments(url: URL) -> tuple[str | None, dict[str, Any]]:
    """The driver's target (None: hosts among the options), and its options.

    Raises ArgumentError for a URL that says what the driver cannot do.
    """
    options = dict(_from_query(url))
    hosts = [*([url.host] if url.host else []), *options.pop("host", [])]
    if url.database:
        if hosts or url.port or url.username:
            raise exc.ArgumentError(
                f"an rqlite server has one database, without a name: leave out /{url.database}; or leave out "
                "the host, for a server in this process: rqlite:///app.db or rqlite:///:memory:"
            )
        return _in_process(url.database), options
    if hosts:
        options["host"] = ",".join(hosts)
    if url.port is not None:
        options["port"] = url.port
    if url.username:
        options["user"] = url.username
    if url.password is not None:
        options["password"] = str(url.password)
    return None, options


def _in_process(database: str) -> str:
    if database != MEMORY:
        return f"file:{database}"
    return f"{MEMORY}{uuid.uuid4()}"  # its name: all connections of the engine share it


def _from_query(url: URL) -> Iterator[tuple[str, Any]]:
    for key, value in url.query.items():
        if key == "host":
            yield key, [value] if isinstance(value, str) else list(value)
        elif not isinstance(value, str):
            raise exc.ArgumentError(f"the option {key} is given twice in the URL")
        elif key == "scheme":
            yield key, value
        else:
            try:
                yield key, option_from_text(key, value)
            except InterfaceError as error:
                raise exc.ArgumentError(str(error)) from error
