"""Django's compilers, which write what the server lacks as plain SQL."""

from __future__ import annotations

from typing import Any

from django.db.models import Aggregate, Case, Func, When, Window
from django.db.models.functions import Random
from django.db.models.lookups import Regex
from django.db.models.sql import compiler
from django.db.transaction import TransactionManagementError
from django.db.utils import NotSupportedError

from django_rqlite.functions import AGGREGATES, WAYS, is_available, missing, template_of


class SQLCompiler(compiler.SQLCompiler):
    """Compiles queries, and all expressions in them."""

    def compile(self, node: Any) -> Any:
        """The SQL of an expression, and its parameters."""
        if isinstance(node, Func):
            name = _name(node)
            if name in WAYS:
                template = template_of(name, self.connection.server.functions)
                if name in AGGREGATES:
                    node = _without_filter(node)
                implementation = getattr(node, "as_sqlite", node.as_sql)
                return implementation(self, self.connection, template=template)
        elif isinstance(node, Regex) and not is_available(
            "REGEXP", self.connection.server.functions
        ):
            raise missing("REGEXP", "regexp()")
        elif isinstance(node, Window) and _name(node.source_expression) in AGGREGATES:
            raise NotSupportedError(
                f"{_name(node.source_expression)} is no function of SQLite, and the SQL in its place has no window"
            )
        return super().compile(node)

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        """The SQL of the query, and its parameters."""
        if self.query.select_for_update:
            self._check_locking()
        return super().as_sql(*args, **kwargs)

    def _check_locking(self) -> None:
        # Nothing is locked, and nothing needs to be: the commit fails if another client has changed the rows.
        # That is so in a serializable transaction alone.
        if not self.connection.is_serializable:
            raise NotSupportedError(
                "select_for_update() needs the isolation level SERIALIZABLE: rqlite has no locks, and READ "
                "COMMITTED does not look again at rows that were read"
            )
        if self.connection.get_autocommit():
            raise TransactionManagementError(
                "select_for_update cannot be used outside of a transaction."
            )


class SQLInsertCompiler(compiler.SQLInsertCompiler, SQLCompiler):
    """Compiles INSERT."""


class SQLDeleteCompiler(compiler.SQLDeleteCompiler, SQLCompiler):
    """Compiles DELETE."""


class SQLUpdateCompiler(compiler.SQLUpdateCompiler, SQLCompiler):
    """Compiles UPDATE."""


class SQLAggregateCompiler(compiler.SQLAggregateCompiler, SQLCompiler):
    """Compiles aggregates over a subquery."""


def _name(node: Any) -> str:
    """The name of a function that is written in the usual way; empty for all else."""
    if not isinstance(node, Func):
        return ""
    if isinstance(node, Random):
        return "RAND"
    usual = Aggregate.template if isinstance(node, Aggregate) else Func.template
    if "template" in node.extra or node.template != usual:
        return ""
    return str(node.extra.get("function", node.function) or "").upper()


def _without_filter(node: Any) -> Any:
    """The aggregate of values that are NULL where the filter leaves them out."""
    if node.filter is None:
        return node
    copy = node.copy()
    condition, copy.filter = copy.filter, None
    first, *others = copy.get_source_expressions()
    condition = getattr(condition, "condition", condition)
    copy.set_source_expressions([Case(When(condition, then=first)), *others])
    return copy
