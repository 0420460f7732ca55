"""Parameters and adapters."""

from __future__ import annotations

import datetime
import decimal
import sqlite3
import warnings
from typing import Any

from tests.differential.driver.calls.model import NOT_FOUND, Observed, call, differs, error_of


@call(differs(NOT_FOUND, _18="ProgrammingError"))
def parameters(module: Any, connection: Any) -> Observed:
    def ask(sql: str, *values: Any) -> Any:
        return connection.execute(sql, *values).fetchall()

    return [
        ask("SELECT ?, ?", (1, "a")),
        ask("SELECT ?, ?", [1, "a"]),
        ask("SELECT ?2, ?1", (1, "a")),
        ask("SELECT ?2, ?2", (1, "a")),
        ask("SELECT :a, @b, $c, :a", {"a": 1, "b": 2, "c": 3, "more": 4}),
        ask("SELECT '?', \"?\", ? -- ?", (1,)),
        ask("SELECT 1", ()),
        ask("SELECT 1", {}),
        ask("SELECT 1 /* :a */"),
        ask("SELECT ?", range(7, 8)),
        error_of(lambda: ask("SELECT ?")),
        error_of(lambda: ask("SELECT ?", ())),
        error_of(lambda: ask("SELECT ?", (1, 2))),
        error_of(lambda: ask("SELECT 1", (1,))),
        error_of(lambda: ask("SELECT :a", {"b": 1})),
        error_of(lambda: ask("SELECT ?", {"a": 1})),
        error_of(lambda: ask("SELECT ?", 5)),
        error_of(lambda: ask("SELECT ?", {1})),
        error_of(lambda: ask("SELECT ?0", (1,))),
        error_of(lambda: ask("SELECT ?32767", (1,))) != "no error",
        error_of(lambda: ask("SELECT ?", (object(),))),
        error_of(lambda: ask("SELECT ?", (2**64,))),
        error_of(lambda: ask("SELECT ?", ("\ud800",))),
    ]


@call(
    differs(
        "a text is hardly ever meant as a sequence of parameters",
        _0="ProgrammingError",
        _1="ProgrammingError",
        _2="ProgrammingError",
    )
)
def texts_as_parameters(module: Any, connection: Any) -> Observed:
    connection.execute("CREATE TABLE x (a)")
    return [
        error_of(lambda: connection.execute("SELECT ?", "a")),
        error_of(lambda: connection.execute("SELECT ?", b"a")),
        error_of(lambda: connection.executemany("INSERT INTO x VALUES (?)", "abc")),
    ]


@call(
    differs(
        "`:1` is PEP 249's style numeric, which takes a sequence; sqlite3 sees a name in it, and binds by place",
        _0=[("b", "a")],
    )
)
def numeric_style(module: Any, connection: Any) -> Observed:

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [connection.execute("SELECT :2, :1", ("a", "b")).fetchall()]


@call(
    differs(
        "names want a mapping; sqlite3 binds them by place, and has deprecated that",
        _0="ProgrammingError",
    )
)
def names_with_a_sequence(module: Any, connection: Any) -> Observed:

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [error_of(lambda: connection.execute("SELECT :a", (1,)))]


@call(differs("SQLite has no NaN: an error is better than a NULL", _0="DataError"))
def not_a_number(module: Any, connection: Any) -> Observed:
    return [error_of(lambda: connection.execute("SELECT ?", (float("nan"),)))]


class Point:
    """Adapts itself."""

    def __conform__(self, protocol: Any) -> str | None:
        return "1;2" if protocol is sqlite3.PrepareProtocol else None


class Text(str):
    """A kind of str."""


class Number(int):
    """A kind of int."""


@call()
def adapted_parameters(module: Any, connection: Any) -> Observed:
    def ask(value: Any) -> Any:
        return connection.execute("SELECT ?, typeof(?)", (value, value)).fetchone()

    return [
        ask(True),
        ask(Text("x")),
        ask(Number(7)),
        ask(bytearray(b"ab")),
        ask(memoryview(b"ab")),
        ask(Point()),
        ask(module.Binary(b"ab")),
        error_of(lambda: ask((1,))),
        error_of(lambda: ask({})),
        error_of(lambda: ask(...)),
    ]


@call(
    differs(
        "adapters are there for Decimal, time and UUID as well, as users of sqlite3 write them",
        _0=("1.50", "text"),
    )
)
def more_adapters(module: Any, connection: Any) -> Observed:
    value = decimal.Decimal("1.50")
    try:
        return [connection.execute("SELECT ?, typeof(?)", (value, value)).fetchone()]
    except sqlite3.Error as error:
        return [type(error).__name__]


@call()
def dates(module: Any, connection: Any) -> Observed:

    moment = datetime.datetime(2024, 1, 2, 3, 4, 5, 678)
    values = [moment, moment.replace(microsecond=0), moment.date()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return [connection.execute("SELECT ?", (value,)).fetchone() for value in values]


@call()
def registered_adapters(module: Any, connection: Any) -> Observed:
    class Kind:
        pass

    class Kin(Kind):
        pass

    module.register_adapter(Kind, lambda value: b"kind")
    seen: Observed = [connection.execute("SELECT ?", (Kind(),)).fetchone()]
    seen.append(error_of(lambda: connection.execute("SELECT ?", (Kin(),))))
    module.register_adapter(Kind, lambda value: [1])
    seen.append(error_of(lambda: connection.execute("SELECT ?", (Kind(),))))
    module.register_adapter(Kind, lambda value: 1 // 0)
    seen.append(error_of(lambda: connection.execute("SELECT ?", (Kind(),))))
    module.register_adapter(Kind, lambda value: None)
    seen.append(connection.execute("SELECT ?", (Kind(),)).fetchone())
    return seen
