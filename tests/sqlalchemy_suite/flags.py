"""Which of SQLAlchemy's requirements rqlite meets, where its answer is not SQLAlchemy's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.testing import exclusions

# What is off by default and on for SQLite, in SQLAlchemy's own tests.
OPEN_LIKE_SQLITE = (
    "autocommit",
    "check_constraint_reflection",
    "computed_columns",
    "computed_columns_reflect_persisted",
    "computed_columns_stored",
    "computed_columns_virtual",
    "create_table_as",
    "create_temp_table_as",
    "ctes",
    "ctes_with_values",
    "date_historic",
    "datetime_historic",
    "datetime_literals",
    "expression_server_defaults",
    "fetch_expression",
    "fetch_offset_with_options",
    "fk_constraint_option_reflection_ondelete_noaction",
    "fk_constraint_option_reflection_ondelete_restrict",
    "fk_constraint_option_reflection_onupdate_restrict",
    "float_or_double_precision_behaves_generically",
    "foreign_key_constraint_name_reflection",
    "foreign_key_constraint_option_reflection_ondelete",
    "foreign_key_constraint_option_reflection_onupdate",
    "index_ddl_if_exists",
    "indexes_check_column_order",
    "indexes_with_expressions",
    "infinity_floats",
    "inline_check_constraint_reflection",
    "isolation_level",
    "json_array_indexes",
    "json_type",
    "legacy_unconditional_json_extract",
    "nvarchar_types",
    "order_by_collation",
    "percent_schema_names",
    "precision_numerics_retains_significant_digits",
    "reflect_table_options",
    "reflects_pk_names",
    "repeated_column_foreign_keys",
    "repeated_remote_col_foreign_keys",
    "server_defaults",
    "skip_autocommit_rollback",
    "supports_bitwise_and",
    "supports_bitwise_not",
    "supports_bitwise_or",
    "supports_bitwise_shift",
    "supports_bitwise_xor",
    "table_ddl_if_exists",
    "tuple_in_w_empty",
    "unicode_ddl",
    "update_from",
    "view_column_reflection",
    "view_reflection",
    "views",
    "window_functions",
    "window_range",
    "window_range_numeric",
)
# What is on by default and off for SQLite, there.
CLOSED_LIKE_SQLITE = dict.fromkeys(
    (
        "implicitly_named_constraints",
        "json_index_supplementary_unicode_element",
        "parens_in_union_contained_select_w_limit_offset",
        "parens_in_union_contained_select_wo_limit_offset",
    ),
    "SQLite has it not",
)

# What this driver has, and SQLAlchemy says no to for SQLite: its savepoints need no recipe, its connections do
# not lock one another out.
OPEN = (
    "dbapi_lastrowid",
    "emulated_lastrowid",
    "emulated_lastrowid_even_with_sequences",
    "independent_connections",
    "savepoints",
    "tuple_in",  # SQLAlchemy looks for a version of SQLite in the driver's module
)
_NO_TEMPORARY = "temporary tables belong to one of the server's connections, on one node: refused"
CLOSED = {
    "schemas": "a second schema is an attached file, and rqlite has one database",
    "regexp_match": "the server has no regexp() unless an extension brings it",
    "server_side_cursors": "an answer of the server is whole",
    "temporary_tables": _NO_TEMPORARY,
    "temporary_views": _NO_TEMPORARY,
    "temp_table_reflection": _NO_TEMPORARY,
    "temp_table_reflect_indexes": _NO_TEMPORARY,
    "temp_table_names": _NO_TEMPORARY,
    "has_temp_table": _NO_TEMPORARY,
    "create_temp_table_as": _NO_TEMPORARY,
}


def set_flags(requirements: type, opened: Iterable[str], closed: Mapping[str, str]) -> None:
    """Give a class of requirements these answers; the closed ones with their reasons."""
    for name in opened:
        setattr(requirements, name, property(lambda self: exclusions.open()))
    for name, reason in closed.items():
        setattr(requirements, name, _closed(reason))


def _closed(reason: str) -> property:
    return property(lambda self: exclusions.skip_if(lambda: True, reason))
