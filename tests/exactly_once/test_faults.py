"""Each step of a write, disturbed in each way: it is applied once and known, or unknown and never repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from pyrqlite import OperationalError, OutcomeUnknownError
from pyrqlite.connection import Connection
from tests.exactly_once.conftest import Bank
from tests.exactly_once.proxy import (
    APPLY,
    SETTLE,
    SPECULATION,
    TABLE,
    Act,
    bad_gateway,
    cut_answer,
    delay_answer,
    delay_request,
    drop_answer,
    drop_request,
    duplicate,
    forward,
    reset,
)

QUICK = (drop_request, drop_answer, reset, cut_answer, bad_gateway)
DELAYS = (delay_answer, delay_request)
QUICKLY = 0.9  # curl keeps only less than a second exactly
BEFORE = [(1, 0)]
COUNT = "UPDATE t SET n = n + 1 WHERE id = 1"


@dataclass(frozen=True)
class Work:
    """Something to apply. `run` gives what the application was told, which is one of `told`; `after` are the rows
    of the table when it was applied once."""

    name: str
    run: Callable[[Connection], object]
    told: tuple[object, ...]
    after: list[tuple[int, int]]
    autocommit: bool = True
    speculates: bool = False


def _insert(connection: Connection) -> object:
    cursor = connection.execute("INSERT INTO t (n) VALUES (?)", (5,))
    return cursor.rowcount, cursor.lastrowid


def _transaction(connection: Connection) -> object:
    (n,) = connection.execute("SELECT n FROM t WHERE id = 1").fetchone()
    changed = connection.execute("UPDATE t SET n = ? WHERE id = 1", (n + 1,)).rowcount
    key = connection.execute("INSERT INTO t (n) VALUES (?)", (n,)).lastrowid
    connection.commit()
    return changed, key


def _pipeline(connection: Connection) -> object:
    with connection.pipeline():
        connection.execute(COUNT)
        connection.execute("INSERT INTO t (n) VALUES (0)")
    connection.commit()
    return "committed"


WORKS = (
    Work("insert", _insert, ((1, 2),), [(1, 0), (2, 5)]),
    Work("update", lambda c: c.execute(COUNT).rowcount, (1,), [(1, 1)]),
    Work(
        "packed rows",
        lambda c: c.executemany("INSERT INTO t (n) VALUES (?)", [(7,), (8,)]).rowcount,
        (2,),
        [(1, 0), (2, 7), (3, 8)],
    ),
    Work(
        "listed rows",
        lambda c: c.executemany("UPDATE t SET n = n + ? WHERE id = 1", [(1,), (2,)]).rowcount,
        (2, -1),
        [(1, 3)],
    ),
    Work(
        "script",
        lambda c: c.executescript(f"{COUNT}; INSERT INTO t (n) VALUES (9)").rowcount,
        (-1,),
        [(1, 1), (2, 9)],
    ),
    Work(
        "returning",
        lambda c: c.execute(f"{COUNT} RETURNING n").fetchall(),
        ([(1,)],),
        [(1, 1)],
        speculates=True,
    ),
    Work(
        "transaction",
        _transaction,
        ((1, 2),),
        [(1, 1), (2, 0)],
        autocommit=False,
        speculates=True,
    ),
    Work("pipeline", _pipeline, ("committed",), [(1, 1), (2, 0)], autocommit=False),
)
works = pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
# One of each way to store counts: those of a statement, none for several, a commit's.
FEW = [work for work in WORKS if work.name in ("insert", "listed rows", "transaction")]
few_works = pytest.mark.parametrize("work", FEW, ids=lambda work: work.name)


def faults(*acts: Act) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", acts, ids=lambda act: act.__name__)


def twice(fault: Act) -> list[Act]:
    """A fault of the first attempt and of the second, if there is one."""
    return [fault] if fault is duplicate else [fault, fault]


class TestExactlyOnce:
    def succeed(self, bank: Bank, work: Work, acts: dict[str, list[Act]], timeout: float) -> None:
        proxy = bank.proxy(acts)
        connection = bank.connect(proxy, autocommit=work.autocommit, timeout=timeout)
        assert work.run(connection) in work.told
        assert bank.rows() == work.after
        assert proxy.unused() == []

    @works
    @faults(*QUICK, duplicate)
    def test_write_or_commit(self, bank: Bank, work: Work, fault: Act) -> None:
        self.succeed(bank, work, {APPLY: [fault]}, 30.0)

    @few_works
    @faults(drop_request, drop_answer)
    def test_again_and_again(self, bank: Bank, work: Work, fault: Act) -> None:
        self.succeed(bank, work, {APPLY: [fault] * 3}, 30.0)

    @few_works
    @faults(*QUICK, duplicate)
    def test_looking_what_became_of_it(self, bank: Bank, work: Work, fault: Act) -> None:
        self.succeed(bank, work, {APPLY: [drop_answer], SETTLE: twice(fault)}, 30.0)

    @faults(*QUICK, duplicate)
    def test_making_the_table(self, bank: Bank, fault: Act) -> None:
        self.succeed(bank, WORKS[0], {TABLE: twice(fault)}, 30.0)

    @pytest.mark.parametrize("step", [TABLE, APPLY, SETTLE])
    @faults(*DELAYS)
    def test_delays(self, bank: Bank, step: str, fault: Act) -> None:
        acts: dict[str, list[Act]] = {APPLY: [drop_answer]} if step == SETTLE else {}
        self.succeed(bank, WORKS[0], {**acts, step: [fault]}, QUICKLY)

    @pytest.mark.parametrize(
        "work", [work for work in WORKS if work.speculates], ids=lambda work: work.name
    )
    @faults(*QUICK)
    def test_speculation_is_no_write(self, bank: Bank, work: Work, fault: Act) -> None:
        proxy = bank.proxy({SPECULATION: [fault]})
        connection = bank.connect(proxy, autocommit=work.autocommit)
        try:  # curl repeats it by itself
            told = work.run(connection)
        except OutcomeUnknownError:
            raise
        except OperationalError:
            assert (bank.rows(), proxy.count(APPLY)) == (BEFORE, 0)
            connection.rollback()
            told = work.run(connection)
        assert told in work.told
        assert bank.rows() == work.after

    def test_vacuum_which_cannot_be_part_of_a_transaction(self, bank: Bank) -> None:
        proxy = bank.proxy({APPLY: [forward]})
        bank.connect(proxy).execute("VACUUM")
        assert proxy.count(APPLY) == 1

    def test_duplicated_speculation(self, bank: Bank) -> None:
        self.succeed(bank, WORKS[-2], {SPECULATION: [duplicate, duplicate]}, 30.0)


class TestWithoutIt:
    def unknown(self, bank: Bank, work: Work, fault: Act, timeout: float) -> None:
        proxy = bank.proxy({APPLY: [fault]})
        connection = bank.connect(
            proxy, autocommit=work.autocommit, timeout=timeout, exactly_once=False
        )
        with pytest.raises(OutcomeUnknownError):
            work.run(connection)
        assert (proxy.count(APPLY), proxy.count(SETTLE), proxy.count(TABLE)) == (1, 0, 0)
        if fault is not delay_request:
            assert bank.rows() == (BEFORE if fault is drop_request else work.after)

    @works
    @faults(*QUICK)
    def test_outcome_is_unknown_and_nothing_repeated(
        self, bank: Bank, work: Work, fault: Act
    ) -> None:
        self.unknown(bank, work, fault, 30.0)

    @faults(*DELAYS)
    def test_delays(self, bank: Bank, fault: Act) -> None:
        self.unknown(bank, WORKS[0], fault, QUICKLY)

    @works
    def test_undisturbed(self, bank: Bank, work: Work) -> None:
        proxy = bank.proxy({APPLY: [forward]})
        connection = bank.connect(proxy, autocommit=work.autocommit, exactly_once=False)
        assert work.run(connection) in work.told
        assert bank.rows() == work.after
