"""Tests of Django's own suite that cannot hold here, by reason."""

from __future__ import annotations

from collections.abc import Collection

import django

from django_rqlite.functions import is_available

_OF_THE_MODULE = {
    *(
        {"backends.sqlite.test_operations.SQLiteOperationsTests.test_bulk_batch_size"}
        if django.VERSION < (6, 1)
        else {
            "backends.base.test_operations.DatabaseOperationTests.test_bulk_batch_size_limited",
            "backends.sqlite.tests.LastExecutedQueryTest.test_parameter_count_exceeds_variable_or_column_limit",
            "backends.sqlite.test_creation.TestDbSignatureTests."
            "test_setup_worker_connection_respects_test_database_name",
        }
    ),
    *(
        {
            "backends.sqlite.test_features.FeaturesTests.test_max_query_params_respects_variable_limit",
            "backends.sqlite.test_operations.SQLiteOperationsTests.test_bulk_batch_size_respects_variable_limit",
        }
        if django.VERSION >= (6,)
        else ()
    ),
}
_ALWAYS = {
    "SQLite stores values rounded to 15 significant digits.": {
        "model_fields.test_decimalfield.DecimalFieldTests.test_fetch_from_db_without_float_rounding",
    },
    "SQLite naively remakes the table on field alteration.": {
        "schema.tests.SchemaTests.test_unique_no_unnecessary_fk_drops",
        "schema.tests.SchemaTests.test_unique_and_reverse_m2m",
        "schema.tests.SchemaTests.test_alter_field_default_doesnt_perform_queries",
        "schema.tests.SchemaTests.test_rename_column_renames_deferred_sql_references",
    },
    "SQLite doesn't support negative precision for ROUND().": {
        "db_functions.math.test_round.RoundTests.test_null_with_negative_precision",
        "db_functions.math.test_round.RoundTests.test_decimal_with_negative_precision",
        "db_functions.math.test_round.RoundTests.test_float_with_negative_precision",
        "db_functions.math.test_round.RoundTests.test_integer_with_negative_precision",
    },
    "The query with its parameters is known to the server alone.": {
        "backends.base.test_base.ExecuteWrapperTests.test_wrapper_debug",
    },
    "It counts the names of Django's own functions in the SQL; here there is plain SQL.": {
        f"db_functions.datetime.test_extract_trunc.{case}.test_extract_year_{name}_lookup"
        for case in ("DateFunctionTests", "DateFunctionWithTimeZoneTests")
        for name in ("exact", "greaterthan", "lessthan")
    },
    "It is about the module sqlite3: its versions, its transaction modes, its limit of 999 parameters.": {
        "backends.sqlite.test_features.FeaturesTests.test_supports_json_field_operational_error",
        "backends.sqlite.tests.Tests.test_check_database_version_supported",
        "backends.sqlite.tests.TestTransactionMode.test_valid_transaction_modes",
        "backends.sqlite.tests.TestTransactionMode.test_invalid_transaction_mode",
        *_OF_THE_MODULE,
    },
    "Foreign keys cannot be switched off, and the schema editor has no need of that.": {
        "backends.sqlite.tests.SchemaTests.test_constraint_checks_disabled_atomic_allowed",
        "backends.sqlite.tests.SchemaTests.test_disable_constraint_checking_failure_disallowed",
    },
    "Who has counted rows that another transaction then deletes has to run again: that is SERIALIZABLE.": {
        "delete_regress.tests.DeleteLockingTest.test_concurrent_delete",
    },
    "A test database is known by TEST NAME alone, and copied to a file however processes start.": {
        "backends.sqlite.test_creation.TestDbSignatureTests.test_custom_test_name",
        "backends.sqlite.test_creation.TestDbSignatureTests.test_get_test_db_clone_settings_not_supported",
    },
}


def _math(name: str, case: str, *more: str) -> set[str]:
    tests = ("null", "float", "integer", "decimal", *more)
    return {f"db_functions.math.test_{name}.{case}Tests.test_{test}" for test in tests}


def _hash(name: str) -> set[str]:
    module = f"db_functions.text.test_{name}.{name.upper()}Tests"
    return {f"{module}.test_basic", f"{module}.test_transform"}


# By the names of functions.WAYS, and REGEXP.
_NEEDED = {
    "REGEXP": {
        "backends.sqlite.tests.Tests.test_regexp_function",
        "model_fields.test_jsonfield.TestQuerying.test_key_iregex",
        "model_fields.test_jsonfield.TestQuerying.test_key_regex",
        *(
            {"expressions.tests.BasicExpressionsTests.test_lookups_subquery"}
            if django.VERSION >= (6,)
            else ()
        ),
        *(
            f"lookup.tests.LookupTests.test_regex{end}"
            for end in ("", "_backreferencing", "_non_ascii", "_non_string", "_null")
        ),
    },
    **{
        name: _math(name.lower(), case, "transform")
        for name, case in {
            "ACOS": "ACos",
            "ASIN": "ASin",
            "ATAN": "ATan",
            "COS": "Cos",
            "COT": "Cot",
            "EXP": "Exp",
            "LN": "Ln",
            "SIN": "Sin",
            "TAN": "Tan",
        }.items()
    },
    "ATAN2": _math("atan2", "ATan2"),
    "LOG": _math("log", "Log"),
    "POWER": {
        *_math("power", "Power"),
        "expressions.tests.ExpressionOperatorTests.test_lefthand_power",
        "expressions.tests.ExpressionOperatorTests.test_righthand_power",
    },
    **{
        name: _hash(name.lower())
        for name in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")
    },
}


def skips(functions: Collection[str]) -> dict[str, set[str]]:
    """The tests, on a server that has these functions."""
    lacking = {
        f"{name} needs an extension, which the server has not loaded.": tests
        for name, tests in _NEEDED.items()
        if not is_available(name, functions)
    }
    return {**_ALWAYS, **lacking}
