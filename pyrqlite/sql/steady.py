"""Which columns hold the same on every node, as far as the schema tells.

Other clients let each node read its own clock and random source. What such a column holds must decide
nothing that every node decides by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyrqlite.sql.effects import children
from pyrqlite.sql.expressions import expression_reason, failing_reason
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Column, Schema, Table, Trigger
from pyrqlite.sql.tokens import Kind, Token

_TIME_TYPE = re.compile("date|time", re.I)
_NAMES = (Kind.WORD, Kind.QUOTED, Kind.STRING)  # a table's name may even stand in single quotes
_VIRTUAL = 2  # what `hidden` says of a generated column that is not stored
_COLLATIONS = frozenset({"BINARY", "NOCASE", "RTRIM"})


class Steadiness:
    """The unsteady columns and tables of a schema. `steady_times` is the user's word that no client writes
    its nodes' clocks into columns declared as dates and times."""

    def __init__(self, schema: Schema, steady_times: bool) -> None:
        self._schema = schema
        self.steady_times = steady_times
        self._tainted_triggers: set[Trigger] = set()
        self._tainted = self._find_tainted()

    def table_reason(self, table: Table) -> str | None:
        """Why nothing about this table is the same everywhere for sure; None if there is no reason."""
        if table.kind != "table":
            return f"{table.name} is a {table.kind} table"
        if fold(table.name).startswith("sqlite_"):
            return f"{table.name} belongs to SQLite, and can differ between nodes"
        if not table.sql or "\ufffd" in table.definition:
            return f"the definition of {table.name} cannot be compared"
        return self._tainted.get(fold(table.name))

    def column_reason(self, table: Table, column: Column) -> str | None:
        """Why this column may differ between nodes; None if there is no reason."""
        name = f"{table.name}.{column.name}"
        if column.generated:
            reason = self._generated_reason(table, column)
            if reason is not None:
                return f"{name} is a generated column: {reason}"
        if table.collation(column) not in _COLLATIONS:
            return f"{name} has a collation that is not SQLite's"
        return self.value_reason(table, column) or self.table_reason(table)

    def value_reason(self, table: Table, column: Column) -> str | None:
        """Why other clients may have stored other values on each node, by the column's definition."""
        name = f"{table.name}.{column.name}"
        if column.default_source:
            return f"the DEFAULT of {name} is not constant"
        if not self.steady_times and _TIME_TYPE.search(column.declared_type):
            return f"{name} is declared {column.declared_type}: other clients write their nodes' clocks there"
        return None

    def _generated_reason(self, table: Table, column: Column) -> str | None:
        """Why the expression of a generated column may give something else on some node, or be an error there."""

        def mentioned_reason(_: str, name: str) -> str | None:
            other = table.column(name)
            return f"{name} is no column" if other is None else self.column_reason(table, other)

        expression = table.text.generated.get(fold(column.name), ())
        if not expression:
            return "its expression is not known"
        failing = self.failing_reason(table, column)
        return failing or expression_reason(expression, mentioned_reason)

    def failing_reason(self, table: Table, column: Column) -> str | None:
        """Why reading the column may be an error: for which rows it is computed depends on the plan."""
        if column.hidden != _VIRTUAL:
            return None

        def mentioned_reason(_: str, name: str) -> str | None:
            other = table.column(name)
            return self.failing_reason(table, other) if other is not None else None

        expression = table.text.generated.get(fold(column.name), ())
        if expression and failing_reason(expression, mentioned_reason) is None:
            return None
        return f"{table.name}.{column.name} is a generated column that may fail for some rows"

    def trigger_reason(self, trigger: Trigger) -> str | None:
        """Why the trigger may not do the same on every node; None if there is no reason."""
        if trigger in self._tainted_triggers:
            return f"trigger {trigger.name} writes values that may differ between nodes"
        if trigger.text.queries:
            return f"trigger {trigger.name} reads tables, in the order of each node's plan"
        return None

    def _find_tainted(self) -> dict[str, str]:
        """The tables, folded, that get values from clocks, random sources or unsteady columns by
        triggers, and why."""
        tainted: dict[str, str] = {}
        waiting = [trigger for each in self._schema.triggers.values() for trigger in each]
        spreading = True
        while spreading and waiting:
            spreading = False
            for trigger in list(waiting):
                if trigger.sources or self._copies_unsteady(trigger, tainted):
                    waiting.remove(trigger)
                    self._tainted_triggers.add(trigger)
                    spreading = True
                    reason = f"trigger {trigger.name} writes values that may differ between nodes"
                    for name in trigger.text.writes:
                        self._taint(name, f"{reason} into {name}", tainted)
        return tainted

    def _taint(self, name: str, reason: str, tainted: dict[str, str]) -> None:
        if name not in tainted:
            tainted[name] = reason
            for child in children(self._schema).get(name, ()):
                self._taint(child.table, f"{reason}, and a foreign key into {child.table}", tainted)

    def _copies_unsteady(self, trigger: Trigger, tainted: dict[str, str]) -> bool:
        """Whether the trigger mentions something that may differ between nodes."""
        names = mentioned(trigger.text.tokens, self._schema)
        if not tainted.keys().isdisjoint(names):
            return True
        if any(view.sources for view in map(self._schema.view, names) if view is not None):
            return True
        for table in filter(None, map(self._schema.table, names)):
            for name in names:
                column = table.column(name)
                if column is not None and self.value_reason(table, column) is not None:
                    return True
                if table.is_rowid(name) and table.rowid_column is None:
                    return True
        return False


def mentioned(tokens: Iterable[Token], schema: Schema) -> set[str]:
    """All names in these tokens, folded, and those in the views among them, in turn."""
    found: set[str] = set()
    waiting = {fold(token.name) for token in tokens if token.kind in _NAMES}
    while waiting:
        name = waiting.pop()
        found.add(name)
        view = schema.view(name)
        if view is not None:
            inside = {fold(token.name) for token in view.tokens if token.kind in _NAMES}
            waiting |= inside - found
    return found


def steadiness(schema: Schema, steady_times: bool = False) -> Steadiness:
    """What is steady in this schema; worked out once."""
    key = (Steadiness, steady_times)
    found: Steadiness | None = schema.derived.get(key)
    if found is None:
        found = Steadiness(schema, steady_times)
        schema.derived[key] = found
    return found
