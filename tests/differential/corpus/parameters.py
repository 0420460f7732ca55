"""Parameters: what each JSON value is bound as, and how places and names are counted."""

from __future__ import annotations

import json

from tests.differential.model import Case, case, post, setup

LITERALS = (
    *("0", "-0", "1", "-1", "9223372036854775807", "-9223372036854775808"),
    *("9223372036854775808", "-9223372036854775809", "12345678901234567890123"),
    *("1.0", "1.5", "-0.0", "0.1", "1e3", "1E3", "1e+3", "1e-3", "1e20", "1e21", "1e22"),
    *("1e308", "1e309", "1e999", "-1e999", "5e-324", "1e-400", "2.2250738585072014e-308"),
    *("0.30000000000000004", "123456789.125", "1e15", "1e16", "123456789012345678"),
    *("01", "+1", ".5", "1.", "NaN", "Infinity", "0x10", "1e", "--1"),
    *("true", "false", "null", "True"),
    *('""', '"a"', '" "', '"1"', '"1.0"', '"é\u20ac"', '"\\ud83d\\ude00"', '"\\ud83d"'),
    *('"a\\u0000b"', '"\\n\\t\\\\\\""', '"<>&\\u2028\\u2029"', '"\\u007f\\u0080"'),
    *("\"x''\"", "\"X''\"", "\"x'00ff'\"", "\"X'00FF'\"", "\"x'0'\"", "\"x'0g'\"", '"x\'00"'),
    *("\" x'00' \"", "\"\\tx'6162'\\n\"", "\"\\u00a0x'6162'\"", "\"x '00'\"", "\"x'00' \\u0000\""),
    *("\"x'00'x\"", "\"y'00'\"", '"x\\"00\\""', "\"x'00 01'\""),
    *("[]", "[0]", "[0,255]", "[97,98,99]", "[256]", "[-1]", "[1.0]", "[1.5]", "[1e2]", "[true]"),
    *('["a"]', "[null]", "[[1]]", '[{"a":1}]', "[1,256]", "[9223372036854775808]"),
    *("{}", '{"a":1}', '{"a":{"b":1}}', '{"a":[1,2]}', '{"a":"x\'41\'"}', '{"a":null}'),
)

# Name -> (statement, parameters as JSON text).
BINDINGS = {
    "too few": ("SELECT ?, ?", "1"),
    "none": ("SELECT ?", ""),
    "none of two": ("SELECT ?, ?", ""),
    "too many": ("SELECT ?", "1,2"),
    "many and no place": ("SELECT 1", "1,2"),
    "numbered": ("SELECT ?2, ?1", "1,2"),
    "number alone": ("SELECT ?3", "1,2,3"),
    "number alone, too few": ("SELECT ?3", "1"),
    "number twice": ("SELECT ?1, ?1", "1"),
    "numbered and not": ("SELECT ?2, ?", "1,2,3"),
    "zero": ("SELECT ?0", "1"),
    "in a literal": ("SELECT '?', ?", "1"),
    "in a comment": ("SELECT /* ? */ ?", "1"),
    "colon": ("SELECT :a, :b", '{"a":1,"b":2}'),
    "at": ("SELECT @a, @b", '{"a":1,"b":2}'),
    "dollar": ("SELECT $a, $b", '{"a":1,"b":2}'),
    "three prefixes": ("SELECT :a, @a, $a", '{"a":1}'),
    "three prefixes, enough": ("SELECT :a, @a, $a", '{"a":1},0,0'),
    "one name twice": ("SELECT :a, :a", '{"a":1}'),
    "missing name": ("SELECT :a, :b", '{"a":1}'),
    "missing name, enough values": ("SELECT :a, :b", '{"a":1,"c":3}'),
    "other name": ("SELECT :a", '{"b":1}'),
    "surplus name": ("SELECT :a", '{"a":1,"b":2}'),
    "no place for a name": ("SELECT 1", '{"a":1}'),
    "case of a name": ("SELECT :a, :A", '{"a":1,"A":2}'),
    "prefix in a name": ("SELECT :a", '{":a":1}'),
    "name begins with underscore": ("SELECT :_a", '{"_a":1}'),
    "name begins with digit": ("SELECT :1", '{"1":1}'),
    "empty name": ("SELECT :a", '{"":1}'),
    "letter of another script": ("SELECT :é", '{"é":1}'),
    "two objects": ("SELECT :a, :b", '{"a":1},{"b":2}'),
    "two objects, one name": ("SELECT :a", '{"a":1},{"a":2}'),
    "name and place": ("SELECT :a, ?", '{"a":1},2'),
    "place and name": ("SELECT ?, :a", '1,{"a":2}'),
    "names for places": ("SELECT ?, ?", '{"a":1,"b":2}'),
    "places for names": ("SELECT :a, :b", "1,2"),
    "dollar with colons": ("SELECT $a::b", '{"a::b":1}'),
    "dollar with parentheses": ("SELECT $a(1)", '{"a(1)":1}'),
    "bad name in a bad statement": ("SELEC :a", '{":a":1}'),
    "too few in a bad statement": ("SELEC ?", ""),
    "limit": ("SELECT 1 LIMIT ?", '"x"'),
    "two statements": ("SELECT ?; SELECT ?", "1,2"),
    "two statements, too few": ("SELECT ?; SELECT ?", "1"),
    "two statements, names": ("SELECT :a; SELECT :b", '{"a":1,"b":2}'),
}

# The same for statements that write.
WRITES = {
    "places": ("INSERT INTO t VALUES (?, ?)", "1,2"),
    "too few": ("INSERT INTO t VALUES (?, ?)", "1"),
    "too many": ("INSERT INTO t VALUES (?, ?)", "1,2,3"),
    "names": ("INSERT INTO t VALUES (:a, :b)", '{"a":1,"b":2}'),
    "missing name": ("INSERT INTO t VALUES (:a, :b)", '{"a":1}'),
    "bad name": ("INSERT INTO t VALUES (:a, :b)", '{":a":1,"b":2}'),
    "two statements": ("INSERT INTO t VALUES (?, 0); INSERT INTO t VALUES (?, ?)", "1,2,3"),
    "two statements, too few": ("INSERT INTO t VALUES (?, 0); INSERT INTO t VALUES (?, ?)", "1,2"),
    "two statements, names": (
        "INSERT INTO t VALUES (:a, 0); INSERT INTO t VALUES (:b, :a)",
        '{"a":1,"b":2}',
    ),
    "two statements, too many": (
        "INSERT INTO t VALUES (?, 0); INSERT INTO t VALUES (1, 1)",
        "1,2,3",
    ),
    "returning": ("INSERT INTO t VALUES (?, ?) RETURNING a, b", "1,2"),
    "returning, too few": ("INSERT INTO t VALUES (?, ?) RETURNING a, b", "1"),
    "select": ("SELECT ?", "1"),
    "select, too few": ("SELECT ?, ?", "1"),
    "schema": ("CREATE TABLE x (a DEFAULT (?))", "1"),
}


def body(statement: str, parameters: str) -> str:
    values = f",{parameters}" if parameters else ""
    return f"[[{json.dumps(statement, ensure_ascii=False)}{values}]]"


def literal_case(literal: str) -> Case:
    shown = "SELECT ?1 AS v, typeof(?1) AS t, hex(?1) AS h"
    named = "SELECT :a AS v, typeof(:a) AS t, hex(:a) AS h"
    return case(
        f"parameters/literal {literal}",
        setup("CREATE TABLE t (a)"),
        post("/db/query", body(shown, literal)),
        post("/db/query?blob_array&associative", body(shown, literal)),
        post("/db/query", body(named, f'{{"a":{literal}}}')),
        post("/db/execute", body("INSERT INTO t VALUES (?)", literal)),
        post("/db/request", body("SELECT a, typeof(a), hex(a), length(a) FROM t", "")),
    )


def binding_case(name: str, statement: str, parameters: str) -> Case:
    text = body(statement, parameters)
    return case(
        f"parameters/binding {name}",
        *(post(f"/db/{where}", text) for where in ("query", "request", "execute", "sql")),
        post("/db/query?level=strong&associative", text),
    )


def write_case(name: str, statement: str, parameters: str) -> Case:
    text = body(statement, parameters)
    table = '["SELECT * FROM t"]'
    return case(
        f"parameters/write {name}",
        setup("CREATE TABLE t (a, b)"),
        post("/db/execute", text),
        post("/db/query", table),
        post("/db/execute?transaction", text),
        post("/db/query", table),
        post("/db/request", text),
        post("/db/request?transaction&associative", text),
        post("/db/query", table),
        post("/db/query", text),
    )


CASES = (
    *(literal_case(literal) for literal in LITERALS),
    *(binding_case(name, *pair) for name, pair in BINDINGS.items()),
    *(write_case(name, *pair) for name, pair in WRITES.items()),
)
