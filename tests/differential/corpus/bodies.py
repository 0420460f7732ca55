"""Request bodies, good and bad, under every content type, at every endpoint that takes SQL."""

from __future__ import annotations

import gzip

from tests.differential.model import Case, Step, case, execute, get, post, query, setup

TARGETS = ("/db/execute", "/db/query", "/db/request", "/db/sql")

BODIES: dict[str, str | bytes] = {
    "nothing": "",
    "blank": "  \n",
    "null": "null",
    "true": "true",
    "number": "1",
    "string": '"SELECT 1"',
    "object": '{"sql":"SELECT 1"}',
    "empty object": "{}",
    "empty list": "[]",
    "empty list in blanks": " [ ] ",
    "sql": "SELECT 1",
    "unclosed list": '["SELECT 1"',
    "unclosed string": '["SELECT 1]',
    "missing comma": '["SELECT 1" "SELECT 2"]',
    "trailing comma": '["SELECT 1",]',
    "single quotes": "['SELECT 1']",
    "data behind the list": '["SELECT 1"] garbage',
    "second list behind": '["SELECT 1"]["SELECT 2"]',
    "closing bracket behind": '["SELECT 1"]]',
    "byte order mark": '\ufeff["SELECT 1"]',
    "blanks around": ' \t\r\n["SELECT 1"]\n ',
    "one": '["SELECT 1"]',
    "two": '["SELECT 1","SELECT 2"]',
    "nested one": '[["SELECT 1"]]',
    "mixed forms": '["SELECT 1",["SELECT ?",2],"SELECT 3"]',
    "mixed forms, list first": '[["SELECT ?",2],"SELECT 3"]',
    "list in a list": '[[["SELECT 1"]]]',
    "empty inner list": "[[]]",
    "empty inner list behind": '["SELECT 1",[]]',
    "number element": "[1]",
    "null element": "[null]",
    "true element": "[true]",
    "object element": '[{"sql":"SELECT 1"}]',
    "number behind a string": '["SELECT 1",1]',
    "null behind a string": '["SELECT 1",null]',
    "inner number first": "[[1]]",
    "inner null first": "[[null]]",
    "inner object first": '[[{"a":1}]]',
    "empty statement": '[""]',
    "empty statement between": '["SELECT 1","","SELECT 2"]',
    "empty statement in a list": '[[""],["SELECT 1"]]',
    "empty statement with a value": '[["",1]]',
    "blank statement": '[" "]',
    "newline statement": '["\\n"]',
    "comment": '["-- nothing"]',
    "block comment": '["/* nothing */"]',
    "semicolon": '[";"]',
    "NUL in a statement": '["SELECT 1\\u0000, 2"]',
    "NUL in a literal": "[\"SELECT 'a\\u0000b'\"]",
    "escaped": '["\\u0053ELECT 1"]',
    "surrogate pair": "[\"SELECT '\\ud83d\\ude00'\"]",
    "lone surrogate": "[\"SELECT '\\ud83d'\"]",
    "control character": '["SELECT\t1"]',
    "bad escape": '["SELECT \\x31"]',
    "duplicate keys": '[["SELECT :a",{"a":1,"a":2}]]',
    "invalid UTF-8": b"[\"SELECT '\xff\xfe'\"]",
    "invalid UTF-8 outside": b'\xff["SELECT 1"]',
    "gzip": gzip.compress(b'["SELECT 1"]', mtime=0),
}

CONTENT_TYPES = (
    "",
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "text/plain; charset=utf-8",
    "text/plainX",
    "TEXT/PLAIN",
    " text/plain",
    "text/html",
    "application/octet-stream",
    "garbage",
)

PLAIN_TEXTS = {
    "select": "SELECT 1 AS a",
    "two": "SELECT 1; SELECT 2",
    "write": "INSERT INTO t VALUES (3)",
    "returning": "INSERT INTO t VALUES (3) RETURNING a",
    "json": '["SELECT 1"]',
    "nothing": "",
    "blank": " ",
    "fault": "SELEC 1",
    "accents": "SELECT 'é\u2028<>&'",
    "disallowed": "PRAGMA journal_mode=DELETE",
}


def queued(body: str | bytes) -> Step:
    return post("/db/execute?queue", body)


def content_type_case(content_type: str) -> Case:
    json_steps = (post(target, '["SELECT 1"]', Content_Type=content_type) for target in TARGETS)
    text_steps = (post(target, "SELECT 1", Content_Type=content_type) for target in TARGETS)
    return case(f"bodies/content type {content_type!r}", *json_steps, *text_steps)


def plain_text_case(name: str, text: str) -> Case:
    def plain(target: str) -> Step:
        return post(target, text, Content_Type="text/plain")

    return case(
        f"bodies/plain text {name}",
        setup("CREATE TABLE t (a INTEGER)"),
        *(plain(target) for target in TARGETS),
        plain("/db/execute?transaction&associative&timings"),
        plain("/db/query?associative&level=strong"),
        plain("/db/execute?queue"),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    )


CASES = (
    *(
        case(
            f"bodies/{name}",
            *(post(target, body) for target in TARGETS),
            queued(body),
        )
        for name, body in BODIES.items()
    ),
    *(content_type_case(content_type) for content_type in CONTENT_TYPES),
    *(plain_text_case(name, text) for name, text in PLAIN_TEXTS.items()),
    case(
        "bodies/large",
        setup("CREATE TABLE t (a)"),
        execute(["INSERT INTO t VALUES (?)", "x" * 3_000_000]),
        get("/db/query?q=SELECT%20length(a)%20FROM%20t"),
        query(f"SELECT {'1,' * 1900}1"),
        query(f"SELECT {'1,' * 2000}1"),
        query(f"SELECT {'1+' * 1001}1"),
        query([f"SELECT {','.join('?' * 1500)}", *[1] * 1500]),
        query("SELECT ?32766"),
        query("SELECT ?32767"),
        execute(*["SELECT 1"] * 300),
    ),
)
