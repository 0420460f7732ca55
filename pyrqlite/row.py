"""Rows that know their columns' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

if TYPE_CHECKING:
    from typing import Protocol

    from typing_extensions import Self

    class HasNames(Protocol):
        """What a row needs of its cursor."""

        @property
        def column_names(self) -> tuple[str, ...]: ...


class Row(tuple[Any, ...]):
    """A tuple that can be asked by name too, in any case, as `sqlite3.Row` can.

    Use it as `connection.row_factory = pyrqlite.Row`. Where two columns have one name, the first is found.
    """

    _names: tuple[str, ...]

    def __new__(cls, cursor: HasNames, values: tuple[Any, ...], /) -> Self:
        row = super().__new__(cls, values)
        row._names = cursor.column_names
        return row

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self._names, tuple(self))

    def keys(self) -> list[str]:
        """The names of the columns."""
        return list(self._names)

    def values(self) -> list[Any]:
        """The values, in the order of the columns."""
        return list(self)

    def items(self) -> list[tuple[str, Any]]:
        """The names with their values."""
        return list(zip(self._names, self, strict=True))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a column, or the default where there is none of that name."""
        try:
            return self[name]
        except IndexError:
            return default

    def __getitem__(self, key: SupportsIndex | slice | str, /) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        for name, value in zip(self._names, self, strict=True):
            if name == key or name.lower() == key.lower():
                return value
        raise IndexError(f"No item with the key {key!r}: there are {', '.join(self._names)}")

    def __repr__(self) -> str:
        pairs = zip(self._names, self, strict=True)
        return f"<Row {', '.join(f'{name}={value!r}' for name, value in pairs)}>"


class _Names:
    """A cursor as far as a row asks for one."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.column_names = names


def _restored(kind: type[Row], names: tuple[str, ...], values: tuple[Any, ...]) -> Row:
    return kind(_Names(names), values)
