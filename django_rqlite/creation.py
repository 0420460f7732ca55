"""Test databases: the server in this process, unless TEST NAME is the address of another."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.creation import BaseDatabaseCreation
from django.db.utils import NotSupportedError

import pyrqlite
from django_rqlite.settings import connection_parameters, in_process_target
from pyrqlite.flow.exchange import exchange
from pyrqlite.flow.steps import Request
from pyrqlite.options import Options, resolve

_CLONES = "DJANGO_RQLITE_CLONES"
_RUNNING = "RUNNING"
_SERVER = ("HOST", "PORT", "USER", "PASSWORD")


class DatabaseCreation(BaseDatabaseCreation):
    """A cluster holds one database, so there is no place in it for a second one.

    TEST NAME is `:memory:` (the default) or a path, for a server in this process, or the URL of a server whose
    whole content the tests may drop.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        # What _create_test_db has replaced in the settings; the suite of Django nests test databases.
        self._replaced: list[dict[str, Any]] = []

    def _get_test_db_name(self) -> str:
        name = self.connection.settings_dict["TEST"]["NAME"] or ":memory:"
        return os.fspath(name)

    def destroy_test_db(
        self,
        old_database_name: str | None = None,
        verbosity: int = 1,
        keepdb: bool = False,
        suffix: str | None = None,
    ) -> None:
        """Remove the test database, and let the connection use the real one; or remove the copy `suffix`."""
        super().destroy_test_db(old_database_name, verbosity, keepdb, suffix)
        if self._replaced and suffix is None:
            settings_dict, replaced = self.connection.settings_dict, self._replaced.pop()
            settings_dict["TEST"][_RUNNING] = replaced.pop(_RUNNING)
            settings_dict.update(replaced)
        if _CLONES in os.environ:
            with contextlib.suppress(OSError):  # there are others in it
                os.rmdir(os.environ[_CLONES])
                del os.environ[_CLONES]

    def _refuse_the_real_one(self) -> None:
        settings_dict = self.connection.settings_dict
        test = {**settings_dict, **dict.fromkeys(_SERVER, ""), "NAME": self._get_test_db_name()}
        if _places(settings_dict) & _places(test):
            raise ImproperlyConfigured(
                f"DATABASES[{self.connection.alias!r}]: TEST NAME is the real database, which the tests would drop"
            )

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        settings_dict = self.connection.settings_dict
        is_running = settings_dict["TEST"].get(_RUNNING, False)
        if not is_running:  # else it is a test database already
            self._refuse_the_real_one()
        self.connection.close()
        self._replaced.append(
            {**{key: settings_dict[key] for key in _SERVER}, _RUNNING: is_running}
        )
        settings_dict.update(dict.fromkeys(_SERVER, ""))
        settings_dict["TEST"][_RUNNING] = True
        name = self._get_test_db_name()
        if not keepdb:
            self._destroy_test_db(name, verbosity)
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        if test_database_name.startswith(("http://", "https://")):
            self._drop_everything(test_database_name)
        elif test_database_name == ":memory:":
            from django_rqlite.base import drop_from_memory

            drop_from_memory(in_process_target(":memory:", self.connection.alias))
        else:
            path = test_database_name.removeprefix("file:")
            for suffix in ("", "-lock", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path + suffix)

    # Copies for tests in parallel: each process has a server of its own, on a file.

    def get_test_db_clone_settings(self, suffix: str) -> dict[str, Any]:
        """The settings by which a process finds its copy."""
        settings_dict = self.connection.settings_dict
        name = os.fspath(settings_dict["NAME"])
        if name.startswith(("http://", "https://")):
            raise NotSupportedError(
                "tests in parallel need a server for each process: leave TEST NAME out, or give a path"
            )
        if name == ":memory:":
            folder = os.environ.get(_CLONES) or tempfile.mkdtemp(prefix="django-rqlite-")
            os.environ[_CLONES] = folder  # for the processes that this one starts
            name = os.path.join(folder, f"{self.connection.alias}.db")
        root, extension = os.path.splitext(name)
        options = settings_dict["OPTIONS"]
        embedded = {**(options.get("embedded") or {}), "fsync": "off"}
        return {
            **settings_dict,
            "NAME": f"{root}_{suffix}{extension}",
            "OPTIONS": {**options, "embedded": embedded},
        }

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        target = self.get_test_db_clone_settings(suffix)["NAME"].removeprefix("file:")
        if keepdb and os.access(target, os.F_OK):
            return
        self._destroy_test_db(target, verbosity)
        self.connection.ensure_connection()
        with open(target, "wb") as file:
            file.write(_backup(self.connection.connection))

    def setup_worker_connection(self, _worker_id: int) -> None:
        """In a process of its own: use its copy. What was inherited is its parent's to close."""
        self.connection.settings_dict.update(self.get_test_db_clone_settings(str(_worker_id)))
        self.connection.connection = None

    def _drop_everything(self, address: str) -> None:
        """Load an empty database: tables that need each other could not be dropped one after the other."""
        options = {
            key: value
            for key, value in self.connection.settings_dict["OPTIONS"].items()
            if key != "isolation_level"
        }
        connection = pyrqlite.connect(address, **options, autocommit=True)
        with contextlib.closing(connection), _empty_database() as file:
            connection.admin.load(file)

    def test_db_signature(self) -> tuple[Any, ...]:
        """What tells test databases apart."""
        name = self._get_test_db_name()
        return (name, self.connection.alias) if name == ":memory:" else (name,)


def _places(settings_dict: Mapping[str, Any]) -> set[object]:
    """Where these settings keep their data: nodes, or a file; nowhere for a database in memory."""
    params = connection_parameters(settings_dict)
    options = Options(**{key: params[key] for key in ("target", "host", "port") if key in params})
    if not options.is_embedded:
        return {(node.host, node.port) for node in resolve(options).nodes()}
    path = options.embedded_path
    return set() if path is None else {os.path.realpath(path)}


@contextlib.contextmanager
def _empty_database() -> Iterator[str]:
    """The path of a SQLite file without any content."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "empty.db")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
        yield path


def _backup(connection: pyrqlite.Connection) -> bytes:
    """The whole database, as a file of SQLite."""
    request = Request("GET", "/db/backup", None, True, connection.options.timeout)
    return connection.run(exchange(connection.session.cluster, request)).body
