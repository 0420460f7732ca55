"""The same calls to the standard library's `sqlite3` and to the driver."""

from __future__ import annotations

import sqlite3
import sys
from decimal import Decimal
from unittest import mock

import pytest

import pyrqlite
from pyrqlite import dbapi2
from tests import worlds
from tests.differential.driver.calls import CALLS, Call, Observed

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="sqlite3 raised other classes before Python 3.11"
)
each_call = pytest.mark.parametrize("call", CALLS, ids=[call.name for call in CALLS])


def by_sqlite3(call: Call) -> Observed:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        # Django, for one, registers an adapter for Decimal.
        with mock.patch.dict(sqlite3.adapters):
            sqlite3.adapters.pop((Decimal, sqlite3.PrepareProtocol), None)
            return call.script(sqlite3, connection)
    finally:
        connection.close()


def compare(call: Call, ours: Observed) -> None:
    theirs = by_sqlite3(call)
    changed = {} if call.difference is None else call.difference.ours
    expected = [changed.get(index, seen) for index, seen in enumerate(theirs)]
    assert ours == expected
    stale = [
        index for index, value in changed.items() if index >= len(theirs) or theirs[index] == value
    ]
    assert stale == [], "these are no differences"


@each_call
def test_pyrqlite(call: Call, url: str) -> None:
    connection = pyrqlite.connect(url, autocommit=True)
    compare(call, call.script(pyrqlite, connection))
    connection.close()


@each_call
def test_asyncio(call: Call, url: str) -> None:
    connection = worlds.connect(url, autocommit=True)
    compare(call, call.script(worlds.Module(), connection))
    connection.close()


@each_call
def test_dbapi2(call: Call, url: str) -> None:
    connection = dbapi2.connect(url)
    compare(call, call.script(dbapi2, connection))
    connection.close()
