"""BEGIN, COMMIT, ROLLBACK and savepoints, as methods or as SQL text; none of them ever reaches the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from pyrqlite.errors import (
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SerializationError,
)
from pyrqlite.flow.session import Outcome, Session
from pyrqlite.flow.steps import Flow
from pyrqlite.flow.transacting import commit
from pyrqlite.sql.names import is_name
from pyrqlite.sql.statement import Statement
from pyrqlite.sql.tokens import Token
from pyrqlite.transaction.log import Log


def control(session: Session, statement: Statement) -> Flow[Outcome]:
    """Obey a statement of transaction control."""
    words = list(statement.tokens[1:])
    verb = statement.verb
    if verb == "SAVEPOINT":
        savepoint(session, _name(statement, words))
        return Outcome()
    if verb == "RELEASE":
        _drop(words, "SAVEPOINT")
        yield from release(session, _name(statement, words))
        return Outcome()
    if verb == "BEGIN":
        _drop(words, "DEFERRED", "IMMEDIATE", "EXCLUSIVE")
    _drop_transaction(words)
    if verb == "ROLLBACK" and words and words[0].keyword == "TO":
        words = words[1:]
        _drop(words, "SAVEPOINT")
        rollback_to(session, _name(statement, words))
        return Outcome()
    if words:
        raise ProgrammingError(f'near "{words[0].text}": syntax error')
    if verb == "BEGIN":
        begin(session)
    elif session.work.log is None and session.work.autocommit:
        done = "rollback" if verb == "ROLLBACK" else "commit"
        raise OperationalError(f"cannot {done} - no transaction is active")
    elif verb == "ROLLBACK":
        rollback(session)
    else:
        yield from commit_open(session)
    return Outcome()


def _drop(words: list[Token], *keywords: str) -> None:
    if words and words[0].keyword in keywords:
        del words[0]


def _drop_transaction(words: list[Token]) -> None:
    """TRANSACTION, and the name that SQLite allows behind it and ignores."""
    if words and words[0].keyword == "TRANSACTION":
        del words[0]
        if words and words[0].keyword != "TO" and is_name(words[0]):
            del words[0]


def _name(statement: Statement, words: Sequence[Token]) -> str:
    if len(words) != 1 or not (is_name(words[0]) or words[0].text.startswith("'")):
        raise ProgrammingError(f"{statement.verb} needs one name: {statement.text!r}")
    return words[0].name


def open_log(session: Session) -> Log | None:
    """The transaction that the next statement belongs to; None where it is applied at once."""
    work = session.work
    if work.log is None and not work.autocommit:
        work.log = Log(work.isolation)
    return work.log


def begin(session: Session) -> None:
    """Open a transaction; OperationalError where one has statements already."""
    log = session.work.log
    if log is not None and log.is_open:
        raise OperationalError("cannot start a transaction within a transaction")
    session.work.log = Log(session.work.isolation, explicit=True)


def commit_open(session: Session) -> Flow[None]:
    """Commit the open transaction, if there is one; it is over afterwards, whatever happened."""
    work = session.work
    log, work.log = work.log, None
    if log is None:
        return
    if work.pipelines:
        work.log = log
        raise NotSupportedError("commit behind the pipeline block, not inside of it")
    work.ended = True
    try:
        yield from commit(session, log)
    except SerializationError:
        _note_conflict(session)
        raise
    work.conflicted = False


def rollback(session: Session) -> None:
    """Drop the open transaction, if there is one."""
    work = session.work
    if work.log is not None and isinstance(work.log.failed, SerializationError):
        _note_conflict(session)
    work.drop()
    work.ended = True


def _note_conflict(session: Session) -> None:
    """What the next try reads must be new."""
    session.work.conflicted = True
    session.cluster.schema.renew()


class Block(NamedTuple):
    """An open transaction block; inside of another transaction it is a savepoint."""

    savepoint: str | None


def open_block(session: Session) -> Block:
    """Begin a transaction, or set a savepoint where one is open."""
    log = session.work.log
    if log is None or not log.is_open:
        begin(session)
        return Block(None)
    name = f"_pyrqlite_{len(log.marks)}"
    savepoint(session, name)
    return Block(name)


def close_block(session: Session, block: Block) -> Flow[None]:
    """The end of a block: commit it, or forget its savepoint."""
    if block.savepoint is None:
        yield from commit_open(session)
    else:
        yield from release(session, block.savepoint)


def abandon_block(session: Session, block: Block) -> None:
    """The end of a block by an error: undo it."""
    log = session.work.log
    if block.savepoint is None:
        rollback(session)
    elif log is not None and log.has_mark(block.savepoint):
        log.rollback_to(block.savepoint)
        log.release(block.savepoint)


@contextmanager
def pipelining(session: Session) -> Iterator[None]:
    """While it lasts, writes are only noted."""
    if open_log(session) is None:
        raise ProgrammingError("a pipeline is a part of a transaction: begin one first")
    session.work.pipelines += 1
    try:
        yield
    finally:
        session.work.pipelines -= 1


def savepoint(session: Session, name: str) -> None:
    """Set a savepoint; outside of a transaction it opens one, as in SQLite."""
    work = session.work
    if work.log is None:
        work.log = Log(work.isolation, explicit=True, outermost=name if work.autocommit else None)
    work.log.savepoint(name)


def release(session: Session, name: str) -> Flow[None]:
    """Forget a savepoint; the one that opened the transaction commits it."""
    log = session.work.log
    if log is None:
        raise ProgrammingError(f"no such savepoint: {name}")
    log.release(name)
    if log.outermost is not None and not log.marks:
        yield from commit_open(session)


def rollback_to(session: Session, name: str) -> None:
    """Undo what came behind a savepoint."""
    log = session.work.log
    if log is None:
        raise ProgrammingError(f"no such savepoint: {name}")
    log.rollback_to(name)
