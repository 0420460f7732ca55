"""What fails of SQLAlchemy's own tests and of Alembic's, and passes over SQLite: each with its reason.

The names are those of pytest, of a test or of a class, without the database behind the class.
"""

from __future__ import annotations

import re

_TEMPORARY = "temporary tables are refused: they would belong to one of the server's connections, on one node"
_ATTACH = "ATTACH is refused: rqlite has one database"
_GENERAL = "a fault in a statement is a ProgrammingError, as in PEP 249; sqlite3 calls it an OperationalError"
_NO_KEY = "an INSERT that did nothing has no key here; sqlite3 shows that of an older INSERT"
_PAGES = "a page of insertmanyvalues has 10,000 rows, since each page is a request"

# Their set-up fails, and leaves tables behind for other tests to stumble over: not run.
SKIPPED = {
    "test/dialect/sqlite/test_dialect.py::AttachedDBTest": _ATTACH,
    "test/dialect/sqlite/test_reflection.py::ConstraintReflectionTest::"
    "test_unique_constraint_named_broken_temp": _TEMPORARY,
    "test/dialect/sqlite/test_reflection.py::ConstraintReflectionTest::"
    "test_unique_constraint_unnamed_normal_temporary": _TEMPORARY,
    "test/dialect/sqlite/test_reflection.py::KeywordInDatabaseNameTest": _ATTACH,
}

# They run, and have to fail: what passes is to be taken off the list.
FAILING = {
    "test/dialect/sqlite/test_on_conflict.py::OnConflictTest::"
    "test_on_conflict_do_nothing_connectionless": _NO_KEY,
    "test/dialect/sqlite/test_on_conflict.py::OnConflictTest::"
    "test_on_conflict_do_update_no_row_actually_affected": _NO_KEY,
    "test/dialect/sqlite/test_on_conflict.py::OnConflictTest::"
    "test_on_conflict_do_update_exotic_targets_five": _GENERAL,
    "test/dialect/sqlite/test_reflection.py::ReflectInternalSchemaTables::"
    "test_get_temp_table_names": _TEMPORARY,
    "test/dialect/sqlite/test_reflection.py::ReflectInternalSchemaTables::"
    "test_get_temp_view_names": _TEMPORARY,
    "test/dialect/sqlite/test_reflection.py::TableOptionsReflectionTest::test_temp_table": _TEMPORARY,
    "test/engine/test_execute.py::HandleErrorTest::test_exception_no_autorollback": _GENERAL,
    **{
        f"test/sql/test_insert_exec.py::InsertManyValuesTest::test_page_size_adjustment[{where}-None]": _PAGES
        for where in (
            "conn_execution_option",
            "engine",
            "exec_execution_option",
            "stmt_execution_option",
        )
    },
}

# Of Alembic's tests: not run.
ALEMBIC = {
    **dict.fromkeys(
        ("test_fk_points_to_me_sqlite_refinteg", "test_selfref_fk_sqlite_refinteg"),
        "PRAGMA foreign_keys is refused: whether they are enforced is for rqlited's flag -fk to say",
    ),
    "test_run_compare": "it wants the 60 or 95 statements of SQLite's dialect: here there are 2 or 36",
}


def reason(node: str, listed: dict[str, str]) -> str | None:
    """The reason for which a test, or the class that it is in, is on the list; None where it is not."""
    name = re.sub(r"_(rqlite|sqlite)\+[^:]*", "", node, count=1)
    without_parameters = name.partition("[")[0]
    names = (name, without_parameters, without_parameters.rpartition("::")[0])
    return next((listed[each] for each in names if each in listed), None)
