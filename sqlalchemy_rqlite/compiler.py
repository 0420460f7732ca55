"""Where rqlite's SQLite can do less than the one that Python is linked to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BinaryExpression
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler


class RqliteCompiler(SQLiteCompiler):
    """SQLite's compiler, for what rqlite understands: without the functions that pysqlite registers."""

    def visit_floordiv_binary(self, binary: BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """`//`, by a cast where others call FLOOR(), which the server lacks."""
        text: str = super().visit_floordiv_binary(binary, operator, **kw)
        if not text.startswith("FLOOR("):
            return text
        quotient = text.removeprefix("FLOOR")
        truncated = f"CAST({quotient} AS INTEGER)"
        return f"({truncated} - ({quotient} < {truncated}))"

    def visit_between_op_binary(
        self, binary: BinaryExpression[Any], operator: Any, **kw: Any
    ) -> str:
        """In parentheses: what stands behind an OR is part of the BETWEEN for rqlite's own parser, which then fails
        to see a RETURNING."""
        return f"({super().visit_between_op_binary(binary, operator, **kw)})"

    def visit_not_between_op_binary(
        self, binary: BinaryExpression[Any], operator: Any, **kw: Any
    ) -> str:
        """Likewise."""
        return f"({super().visit_not_between_op_binary(binary, operator, **kw)})"
