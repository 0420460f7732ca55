"""Where rqlite's SQLite can do less than the one that Python is linked to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BinaryExpression
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler


class RqliteCompiler(SQLiteCompiler):
    """SQLite's compiler without the functions that pysqlite registers."""

    def visit_floordiv_binary(self, binary: BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """`//`, by a cast where others call FLOOR(), which the server lacks."""
        text: str = super().visit_floordiv_binary(binary, operator, **kw)
        if not text.startswith("FLOOR("):
            return text
        quotient = text.removeprefix("FLOOR")
        truncated = f"CAST({quotient} AS INTEGER)"
        return f"({truncated} - ({quotient} < {truncated}))"
