"""Finds, by tokens, what is not the same at every time and on every node: clocks, random numbers,
the state of a connection, time zones."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyrqlite.sql.names import fold, words
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.statement import closing
from pyrqlite.sql.tokens import Kind, Token, significant


class Source(enum.Flag):
    """What a value depends on beside the data."""

    NONE = 0
    CLOCK = enum.auto()
    RANDOM = enum.auto()
    STATE = enum.auto()  # of the connection
    ZONE = enum.auto()  # the time zone of the node


CURRENT = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})
STATE_FUNCTIONS = ("last_insert_rowid", "changes", "total_changes")
# Of well-known extensions. rqlite can load them, and this driver cannot know what exactly they give.
_FOREIGN_RANDOM = frozenset({"uuid", "uuid4", "uuid7", "gen_random_uuid"})
# Which arguments of the date functions are times: behind them stand modifiers, except in timediff.
_TIMES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("date", "time", "datetime", "julianday", "unixepoch"), (0,)),
    "strftime": (1,),
    "timediff": (0, 1),
}
# What freezing makes constant.
FREEZABLE_FUNCTIONS = frozenset(_TIMES) | frozenset(STATE_FUNCTIONS) | {"random", "randomblob"}
_CURRENT_FUNCTIONS = frozenset(map(str.lower, CURRENT))
_FUNCTIONS = FREEZABLE_FUNCTIONS | _FOREIGN_RANDOM | _CURRENT_FUNCTIONS
_HINT = re.compile(r"current_|date|time|julianday|unixepoch|random|insert_rowid|changes|uuid", re.I)


def may_be_impure(text: str) -> bool:
    """A quick look at the SQL: False when it surely is the same everywhere, at any time."""
    return _HINT.search(text) is not None


class Meaning(enum.Enum):
    """What a text means to a date function."""

    NOW = "now"
    SUBSECOND = "subsec"  # as a time: now, shown with milliseconds
    ZONE = "localtime"
    OTHER = ""
    DOUBTFUL = "?"  # it is put together in SQL, and could come out as one of those above


_MEANINGS = {
    "now": Meaning.NOW,
    "subsec": Meaning.SUBSECOND,
    "subsecond": Meaning.SUBSECOND,
    "localtime": Meaning.ZONE,
    "utc": Meaning.ZONE,
}


def meaning_of(value: Value) -> Meaning:
    """What `value` means; SQLite reads texts and blobs alike, up to the first NUL."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return Meaning.OTHER
    return _MEANINGS.get(fold(value.partition("\0")[0]), Meaning.OTHER)


@dataclass(frozen=True)
class Argument:
    """An argument of a date function, between two token indexes.

    One literal is a `text` (in double quotes: `quoted`, for that may be a column), one placeholder a
    `number`. All others are compound: `texts` and `numbers` are the literals and placeholders in it,
    `opaque` says that columns or subqueries take part, `unknown` functions that may make any text.
    """

    start: int
    stop: int
    text: str | None = None
    quoted: bool = False
    number: int | None = None
    texts: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    opaque: bool = False
    unknown: bool = False

    def meaning(self, values: Sequence[Value], wanted: Collection[Meaning]) -> Meaning:
        """What the argument means with these values, among the meanings that matter at its place.

        A value that is missing, because it is not known yet, counts as one that could mean anything.
        """
        found = self._meaning(values, wanted)
        return found if found in wanted or found is Meaning.DOUBTFUL else Meaning.OTHER

    def _meaning(self, values: Sequence[Value], wanted: Collection[Meaning]) -> Meaning:
        if self.text is not None:
            return meaning_of(self.text)
        if self.number is not None:
            known = self.number <= len(values)
            return meaning_of(values[self.number - 1]) if known else Meaning.DOUBTFUL
        if any(number > len(values) for number in self.numbers):
            return Meaning.DOUBTFUL
        material: list[Value] = [*self.texts, *(values[number - 1] for number in self.numbers)]
        if self.opaque:
            # What a column holds is its owner's affair, but a literal beside it counts.
            doubtful = any(meaning_of(text) in wanted for text in material)
        else:
            doubtful = self.unknown or _could_spell(material, wanted)
        return Meaning.DOUBTFUL if doubtful else Meaning.OTHER

    @property
    def depends_on_values(self) -> bool:
        """Whether its meaning needs the values of the placeholders."""
        return self.number is not None or bool(self.numbers)


# The n of "now" can come from elsewhere: a NULL or an infinity turned into text.
_LETTERS = (
    ("ow", Meaning.NOW),
    ("subec", Meaning.SUBSECOND),
    ("utc", Meaning.ZONE),
    ("localtime", Meaning.ZONE),
)


def _could_spell(material: Sequence[Value], wanted: Collection[Meaning]) -> bool:
    """Whether functions that only move characters about could make such a word of the material."""
    letters: set[str] = set()
    for value in material:
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if isinstance(value, str):
            letters.update(fold(value))
    return any(meaning in wanted and letters.issuperset(word) for word, meaning in _LETTERS)


class SiteKind(enum.Enum):
    """What stands at a site."""

    CURRENT = "current"  # CURRENT_TIMESTAMP and its like
    TIME = "time"  # a date function that reads the clock or a time zone, or may do so
    RANDOM = "random"
    RANDOM_BLOB = "randomblob"
    STATE = "state"
    FOREIGN = "foreign"  # a random function of an extension


@dataclass(frozen=True)
class Site:
    """A place where the SQL depends on more than the data, between two token indexes.

    Of a date function, `times` are its time arguments and `insertion` is the token before which a
    missing one has to be put (with a comma before it where `comma`). `size` is that of a random blob,
    None when it is no literal.
    """

    kind: SiteKind
    name: str
    start: int
    stop: int
    times: tuple[Argument, ...] = ()
    modifiers: tuple[Argument, ...] = ()
    insertion: int | None = None
    comma: bool = False
    size: int | None = None

    def sources(self, values: Sequence[Value] = ()) -> Source:
        """What the site depends on, as far as these values tell."""
        if self.kind is not SiteKind.TIME:
            return _SOURCES[self.kind]
        found = Source.NONE
        if self.insertion is not None or any(
            argument.meaning(values, TIME_MEANINGS) is not Meaning.OTHER for argument in self.times
        ):
            found |= Source.CLOCK
        if any(
            argument.meaning(values, ZONE_MEANINGS) is not Meaning.OTHER
            for argument in self.modifiers
        ):
            found |= Source.ZONE
        return found


TIME_MEANINGS = frozenset({Meaning.NOW, Meaning.SUBSECOND})
ZONE_MEANINGS = frozenset({Meaning.ZONE})
_SOURCES = {
    SiteKind.CURRENT: Source.CLOCK,
    SiteKind.RANDOM: Source.RANDOM,
    SiteKind.RANDOM_BLOB: Source.RANDOM,
    SiteKind.STATE: Source.STATE,
    SiteKind.FOREIGN: Source.RANDOM,
}


def sites_are_random(sites: Iterable[Site]) -> bool:
    """Whether any of the sites gives random values."""
    return any(_SOURCES.get(site.kind) is Source.RANDOM for site in sites)


def sources_of(sql: str) -> Source:
    """All that an expression or a whole definition may depend on, by its text."""
    found = Source.NONE
    if may_be_impure(sql):
        for site in find_sites(significant(sql), {}):
            found |= site.sources()
    return found


def find_sites(
    tokens: Sequence[Token],
    numbers: Mapping[int, int],
    is_operand: Callable[[int], bool] = lambda index: True,
) -> Iterator[Site]:
    """The sites in these tokens, in order; one inside another's arguments comes behind it.

    `numbers` gives the numbers of the placeholders by where they start in the text. `is_operand` says
    whether the token of an index stands where an expression can, and not a name.
    """
    for index, token in enumerate(tokens):
        if token.kind not in (Kind.WORD, Kind.QUOTED):
            continue
        name = fold(token.name)
        if name not in _FUNCTIONS:
            continue
        called = index + 1 < len(tokens) and tokens[index + 1].text == "("
        if token.keyword in CURRENT:
            if not called and is_operand(index):
                yield Site(SiteKind.CURRENT, token.keyword, index, index + 1)
        elif called and is_operand(index) and not _is_table(tokens, index):
            site = _call(tokens, numbers, index, name)
            if site is not None:
                yield site


def _is_table(tokens: Sequence[Token], index: int) -> bool:
    """Whether the name before a parenthesis is a table's: INTO date(a), WITH date(a) AS (...)."""
    before = tokens[index - 1] if index else None
    if before is not None and (
        before.text == "." or before.keyword in ("INTO", "WITH", "RECURSIVE")
    ):
        return True
    end = closing(tokens, index + 1)
    words = [token.text.upper() for token in tokens[end + 1 : end + 3]]
    return words[:1] == ["AS"] and words[1:] in (["("], ["NOT"], ["MATERIALIZED"])


def _call(
    tokens: Sequence[Token], numbers: Mapping[int, int], index: int, name: str
) -> Site | None:
    end = closing(tokens, index + 1)
    ranges = list(_split(tokens, index + 2, end))
    if name in _TIMES:
        return _time_call(tokens, numbers, index, name, ranges)
    if name == "randomblob" and len(ranges) == 1:
        size = _size(tokens[slice(*ranges[0])])
        return Site(SiteKind.RANDOM_BLOB, name, index, end + 1, size=size)
    if name in _FOREIGN_RANDOM and (not ranges or name == "uuid7"):
        return Site(SiteKind.FOREIGN, name, index, end + 1)
    if ranges or name == "randomblob":
        return None
    if name == "random":
        return Site(SiteKind.RANDOM, name, index, end + 1)
    if name in _CURRENT_FUNCTIONS:
        return Site(SiteKind.CURRENT, name.upper(), index, end + 1)
    return Site(SiteKind.STATE, name, index, end + 1)


def _split(tokens: Sequence[Token], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The ranges of the arguments between two parentheses."""
    if start < stop and tokens[start].keyword in ("DISTINCT", "ALL"):
        start += 1
    depth = 0
    for index in range(start, stop):
        text = tokens[index].text
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif text == "," and depth == 0:
            yield start, index
            start = index + 1
    if start < stop:
        yield start, stop


def _size(argument: Sequence[Token]) -> int | None:
    """The size that randomblob gives for a literal argument."""
    sign = 1
    while argument and argument[0].text in ("+", "-"):
        sign = -sign if argument[0].text == "-" else sign
        argument = argument[1:]
    if len(argument) != 1 or argument[0].kind is not Kind.NUMBER:
        return None
    text = argument[0].text.replace("_", "")
    number = int(text, 16) if text[:2] in ("0x", "0X") else float(text)
    if abs(number) > 2**31:
        return None
    return max(1, sign * int(number))


def _time_call(
    tokens: Sequence[Token],
    numbers: Mapping[int, int],
    index: int,
    name: str,
    ranges: Sequence[tuple[int, int]],
) -> Site | None:
    end = closing(tokens, index + 1)
    places = _TIMES[name]
    if name == "strftime" and not ranges:
        return None  # NULL, and not the time
    times = tuple(
        describe(tokens, numbers, *ranges[place]) for place in places if place < len(ranges)
    )
    modifiers = ranges[places[0] + 1 :] if name != "timediff" else ()
    site = Site(
        SiteKind.TIME,
        name,
        index,
        end + 1,
        times,
        tuple(describe(tokens, numbers, *argument) for argument in modifiers),
        insertion=end if not times and name != "timediff" else None,
        comma=bool(ranges),
    )
    # Without values, placeholders count as if they meant something.
    return site if site.sources() is not Source.NONE else None


# Functions that make no text of other letters than those of their arguments. Of nested date
# functions only strftime can, by its format.
_PASSIVE = words(
    """
    lower upper substr substring replace trim ltrim rtrim coalesce ifnull nullif iif if max min printf
    format concat concat_ws abs round length instr unicode hex sign likely unlikely
    """
)
_EXPRESSION_WORDS = (
    words(
        """
    ALL AND AS BETWEEN CASE CAST COLLATE DISTINCT ELSE END ESCAPE EXISTS FALSE FROM GLOB IN IS ISNULL LIKE
    LIMIT NOT NOTNULL NULL OR SELECT THEN TRUE UNION VALUES WHEN WHERE
    """
    )
    | CURRENT
)


def describe(
    tokens: Sequence[Token], numbers: Mapping[int, int], start: int, stop: int
) -> Argument:
    """The argument between two token indexes."""
    inner = _bare(tokens, start, stop)
    if inner is not None:
        if inner.kind is Kind.STRING:
            return Argument(start, stop, text=inner.name)
        if inner.kind is Kind.BLOB:
            return Argument(start, stop, text=bytes.fromhex(inner.text[2:-1]).decode("latin-1"))
        if inner.text[0] == '"':
            return Argument(start, stop, text=inner.name, quoted=True)
        if inner.kind is Kind.PARAMETER:
            return Argument(start, stop, number=numbers.get(inner.start, 1))
    compound = _Compound(tokens, numbers)
    compound.read(start, stop)
    return Argument(
        start,
        stop,
        texts=tuple(compound.texts),
        numbers=tuple(compound.numbers),
        opaque=compound.opaque,
        unknown=compound.unknown,
    )


def _bare(tokens: Sequence[Token], start: int, stop: int) -> Token | None:
    """The one token of the argument, without the parentheses, plus signs and COLLATE around it."""
    while start < stop:
        if stop - start == 1:
            return tokens[start]
        if tokens[start].text == "+":
            start += 1
        elif tokens[stop - 2].keyword == "COLLATE":
            stop -= 2
        elif tokens[start].text == "(" and closing(tokens, start) == stop - 1:
            start, stop = start + 1, stop - 1
        else:
            return None
    return None


@dataclass
class _Compound:
    """Collects what an expression is made of."""

    tokens: Sequence[Token]
    known: Mapping[int, int]
    texts: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    opaque: bool = False
    unknown: bool = False

    def read(self, start: int, stop: int) -> None:
        """Take in the tokens of a range."""
        index = start
        while index < stop:
            token = self.tokens[index]
            if token.kind is Kind.STRING:
                self.texts.append(token.name)
            elif token.kind is Kind.BLOB:
                self.texts.append(bytes.fromhex(token.text[2:-1]).decode("latin-1"))
            elif token.kind is Kind.PARAMETER:
                self.numbers.append(self.known.get(token.start, 1))
            elif token.kind in (Kind.WORD, Kind.QUOTED):
                index = self._word(index, stop)
                continue
            index += 1

    def _word(self, index: int, stop: int) -> int:
        """Take in a word, and the arguments of a nested date function. The index behind."""
        token = self.tokens[index]
        if index + 1 < stop and self.tokens[index + 1].text == "(" and not self._is_keyword(token):
            name = fold(token.name)
            if name in _TIMES:
                end = closing(self.tokens, index + 1)
                if name == "strftime":
                    for argument in list(_split(self.tokens, index + 2, end))[:1]:
                        self.read(*argument)
                return end + 1
            self.unknown = self.unknown or name not in _PASSIVE
        elif token.keyword in (
            "COLLATE",
            "AS",
        ):  # a name follows: of a collation, or a type's words
            index += 1
            while index + 1 < stop and self.tokens[index + 1].kind in (Kind.WORD, Kind.QUOTED):
                index += 1
        elif not self._is_keyword(token):
            self.opaque = True
            if token.text[0] == '"':
                self.texts.append(token.name)
        return index + 1

    @staticmethod
    def _is_keyword(token: Token) -> bool:
        return token.keyword in _EXPRESSION_WORDS
