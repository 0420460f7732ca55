"""Rows with names."""

from __future__ import annotations

import copy
import pickle
import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest

import pyrqlite
from pyrqlite import Row


@dataclass
class Cursor:
    """What a row needs of a cursor."""

    column_names: tuple[str, ...]

    @property
    def description(self) -> tuple[tuple[Any, ...], ...]:
        return tuple((name, None, None, None, None, None, None) for name in self.column_names)


ROW = Row(Cursor(("id", "Name", "id", "É")), (1, "x", 2, None))


def test_by_number() -> None:
    assert (ROW[0], ROW[-1], ROW[1:3], ROW[::-1]) == (1, None, ("x", 2), (None, 2, "x", 1))
    assert (len(ROW), list(ROW), tuple(ROW), "x" in ROW) == (
        4,
        [1, "x", 2, None],
        (1, "x", 2, None),
        True,
    )
    with pytest.raises(IndexError):
        ROW[4]


def test_by_name() -> None:
    assert (ROW["id"], ROW["ID"], ROW["name"], ROW["NAME"], ROW["É"]) == (1, 1, "x", "x", None)
    with pytest.raises(IndexError, match=r"nope.*Name"):
        ROW["nope"]


def test_mapping() -> None:
    assert ROW.keys() == ["id", "Name", "id", "É"]
    assert dict(Row(Cursor(("a", "b")), (1, 2))) == {"a": 1, "b": 2}


def test_comparing() -> None:
    twin = Row(Cursor(("id", "Name", "id", "É")), (1, "x", 2, None))
    assert twin == ROW
    assert hash(ROW) == hash(twin)
    assert Row(Cursor(("a",)), (1,)) != Row(Cursor(("a",)), (2,))


def test_shows_names_and_values() -> None:
    assert repr(Row(Cursor(("a", "b")), (1, "x"))) == "<Row a=1, b='x'>"


def test_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ROW[0] = 5  # type: ignore[index]
    with pytest.raises(TypeError):
        del ROW[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda row: pickle.loads(pickle.dumps(row))]
)
def test_copies(again: Any) -> None:
    twin = again(ROW)
    assert (twin, twin.keys(), twin["name"]) == (ROW, ROW.keys(), "x")


def test_like_the_standard_librarys() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    theirs = connection.execute("SELECT 1 AS id, 'x' AS Name").fetchone()
    connection.close()
    ours = Row(Cursor(("id", "Name")), (1, "x"))
    assert (ours.keys(), list(ours), ours["NAME"], len(ours)) == (
        theirs.keys(),
        list(theirs),
        theirs["NAME"],
        len(theirs),
    )
    assert pyrqlite.Row is Row
