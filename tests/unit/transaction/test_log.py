"""The log: which statements a commit sends, which facts it shows, what savepoints cut off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.packed import Query
from pyrqlite.sql.reads import FactKind, ReadVerdict
from pyrqlite.sql.statement import parse
from pyrqlite.transaction.guards import conflict_number
from pyrqlite.transaction.log import Isolation, Log, ReadEntry, RowsGuard, Seen, WriteEntry
from pyrqlite.wire import packing
from pyrqlite.wire.response import Result
from tests.unit.local_node import LocalNode

SCHEMA = LocalNode(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "CREATE TABLE u (id INTEGER PRIMARY KEY)"
).schema()
T, U = SCHEMA.tables["t"], SCHEMA.tables["u"]
GUARDED = ReadVerdict(FactKind.GUARDED, tables=(T,))
CHECKED = ReadVerdict(FactKind.CHECKED, "for a reason")


def read(sql: str = "SELECT a FROM t", verdict: ReadVerdict = GUARDED) -> ReadEntry:
    statement = parse(sql)
    query = Query(statement, statement, ())
    return ReadEntry(query, 1, frozenset(), packing.Form.EXACT, "[[1]]", 1, verdict, False)


def write(sql: str = "UPDATE t SET a = 1", count: int | None = 1) -> WriteEntry:
    statement = parse(sql)
    seen = None if count is None else (Seen(count, None, ()),)
    guarded = count is not None
    return WriteEntry(
        statement, statement, (sql,), (sql,), seen, False, counts=guarded, uniform=True, tables=(T,)
    )


def log(*entries: ReadEntry | WriteEntry) -> Log:
    made = Log(Isolation.SERIALIZABLE)
    for entry in entries:
        made.add(entry)
    return made


def shape(made: Log, guarding: bool = True) -> list[str]:
    """For each statement of the commit its first words, or what it guards."""
    found = []
    for number, step in enumerate(made.steps(guarding)):
        text, *values = [step.item] if isinstance(step.item, str) else step.item
        if not step.is_guard:
            found.append(text)
            continue
        kind = "changes" if "changes()" in text else "rows" if "_pyrqlite_q" in text else "table"
        found.append(f"guard of {kind}")
        guards_before = sum(word.startswith("guard") for word in found[:number])
        assert conflict_number(values[-1]) is not None, guards_before
    return found


class TestCommit:
    def test_checks_every_fact_in_its_place(self) -> None:
        made = log(read(), write(), read(), write("DELETE FROM t"))
        assert shape(made) == [
            "guard of table", "guard of rows", "UPDATE t SET a = 1", "guard of changes", "guard of rows",
            "DELETE FROM t", "guard of changes",
        ]  # fmt: skip
        assert made.checked() == []

    def test_without_guards(self) -> None:
        assert shape(log(read(), write()), guarding=False) == ["UPDATE t SET a = 1"]

    def test_numbers_of_guards_differ(self) -> None:
        many = replace(write(), final=("A", "B"), seen=(Seen(1, None, ()), Seen(2, None, ())))
        steps = log(read(), many, read(), write()).steps()
        tags = [step.item[-1] for step in steps if step.is_guard]
        assert len(set(tags)) == len(tags) == 6

    def test_each_of_many_rows_has_its_count(self) -> None:
        many = replace(write(), final=("A", "B"), seen=(Seen(1, None, ()), Seen(2, None, ())))
        assert shape(log(many))[1:] == ["A", "guard of changes", "B", "guard of changes"]

    def test_nobody_looked(self) -> None:
        assert shape(log(write(count=None))) == ["UPDATE t SET a = 1"]
        assert log(write(count=None)).facts() == []

    def test_checked_reads_are_not_sent(self) -> None:
        entry = read(verdict=CHECKED)
        made = log(entry, write())
        assert shape(made)[1:] == ["UPDATE t SET a = 1", "guard of changes"]
        assert made.checked() == [entry]

    def test_nothing_is_guarded_behind_a_write_that_may_differ(self) -> None:
        first, unsteady, last = read(), replace(write("INSERT"), uniform=False), read()
        made = log(first, unsteady, last, write())
        assert shape(made) == ["guard of table", "guard of rows", "INSERT", "UPDATE t SET a = 1"]
        assert made.checked() == [unsteady, last, made.entries[-1]]
        kinds = [fact.kind for fact in made.facts()]
        assert kinds == [FactKind.GUARDED, *[FactKind.CHECKED] * 3]
        assert all(bool(fact.reason) == (fact.kind is FactKind.CHECKED) for fact in made.facts())

    def test_guards_before_and_behind(self) -> None:
        rows = RowsGuard(parse("SELECT id FROM t"), (), 1, "[[1]]", 1)
        entry = replace(write(), before=(rows,), behind=(rows,))
        assert shape(log(entry))[1:] == [
            "guard of rows", "UPDATE t SET a = 1", "guard of changes", "guard of rows",
        ]  # fmt: skip

    def test_every_definition_that_was_relied_on(self) -> None:
        changed = replace(T, sql="CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
        verdict = ReadVerdict(FactKind.GUARDED, tables=(changed, U))
        made = log(read(), read(verdict=verdict), read(verdict=CHECKED))
        assert shape(made) == ["guard of table"] * 3 + ["guard of rows"] * 2

    def test_open_results_are_checked_beside_their_guards(self) -> None:
        entry = replace(write(), open=True, reason="RETURNING has more than columns")
        made = log(entry)
        assert shape(made)[1:] == ["UPDATE t SET a = 1", "guard of changes"]
        assert made.checked() == [entry]
        assert made.fact(entry) == made.facts()[0]
        assert made.facts()[0].kind is FactKind.CHECKED

    def test_definitions_are_no_facts(self) -> None:
        made = log(write("CREATE TABLE x (a)"))
        assert (made.facts(), made.changes_schema) == ([], True)
        assert made.fact(made.entries[0]) is None


class TestSavepoints:
    def test_cut_back(self) -> None:
        made = log(write("A"))
        made.savepoint("s")
        reads = [read("SELECT 1 FROM t"), read("SELECT 2 FROM t")]
        behind: list[ReadEntry | WriteEntry] = [*reads, write("B"), read("SELECT 3 FROM t")]
        for entry in behind:
            made.add(entry)
        made.rollback_to("S")
        assert made.entries[1:] == reads
        assert [entries[1:] for entries in made.undone] == [behind]
        made.rollback_to("s")
        assert made.entries[1:] == reads
        assert len(made.undone) == 1

    def test_names(self) -> None:
        made = log()
        for name in ("a", "b", "a"):
            made.savepoint(name)
        made.release("A")
        assert [name for name, _ in made.marks] == ["a", "b"]
        made.rollback_to("a")
        assert [name for name, _ in made.marks] == ["a"]
        for method in (made.release, made.rollback_to):
            with pytest.raises(ProgrammingError, match="no such savepoint: b"):
                method("b")
        made.release("a")
        assert made.marks == []


def result(text: object = None, error: str | None = None) -> Result:
    return Result(["x"], [], [[text]] if text is not None else [], None, 0, error)


class TestComparing:
    @pytest.mark.parametrize(
        ("now", "ordered", "holds"),
        [("[[1],[2]]", True, True), ("[[2],[1]]", False, True), ("[[2],[1]]", True, False),
         ("[[1],[2],[2]]", False, False), ("[]", False, False), ("[[1],[2.0]]", False, False)],
    )  # fmt: skip
    def test_reads(self, now: str, ordered: bool, holds: bool) -> None:
        entry = replace(read(), seen="[[1],[2]]", ordered=ordered)
        assert entry.holds(result(now)) is holds

    def test_reads_that_fail_do_not_hold(self) -> None:
        assert not read().holds(result(error="no such table: t"))
        assert not read().holds(result())

    def test_writes(self) -> None:
        assert Seen(2, 5, ("a", "b")).same_as(Seen(2, 5, ("b", "a")))
        for other in (Seen(3, 5, ("a", "b")), Seen(2, 6, ("a", "b")), Seen(2, 5, ("a", "a"))):
            assert not Seen(2, 5, ("a", "b")).same_as(other)

    def test_rowids_count_only_where_they_are_made(self) -> None:
        found = Result(None, [], [], 9, 1, None)
        assert write().look(found) == Seen(1, None, ())
        assert replace(write(), makes_rowid=True).look(found) == Seen(1, 9, ())
        ignored = Result(None, [], [], 9, 0, None)
        assert replace(write(), makes_rowid=True).look(ignored) == Seen(0, None, ())
