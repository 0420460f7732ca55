"""Time zones as SQL: how many seconds local time is ahead of UTC, from the same tables that zoneinfo reads.

The format of the tables is RFC 8536's: transitions with their offsets, and behind the last of them a rule that
holds for ever.
"""

from __future__ import annotations

import bisect
import datetime
import importlib.resources
import os
import re
import struct
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_EPOCH = datetime.datetime(1970, 1, 1)
_BEGINNING = -62_135_596_800  # the year 1
_FIRST_YEAR = 1900
_NAME = r"(?:<[A-Za-z0-9+-]+>|[A-Za-z]+)"
_CLOCK = r"([+-]?\d+(?::\d+){0,2})"
_RULE = re.compile(rf"{_NAME}{_CLOCK}(?:{_NAME}{_CLOCK}?,([^,]+),([^,]+))?")
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


@dataclass(frozen=True)
class Turn:
    """The day of a rule in any year, and at how many seconds behind its midnight UTC the clocks turn.

    `day` is `MM-DD`; `modifiers` are SQLite's, to be applied to it.
    """

    day: str
    modifiers: tuple[str, ...]
    seconds: int

    def sql(self, value: str) -> str:
        """The moment in the year of `value`, as SQL."""
        modifiers = [*self.modifiers, f"{self.seconds} seconds"]
        return f"datetime(substr({value},1,4)||'-{self.day}','{_joined(modifiers)}')"


@dataclass(frozen=True)
class Rule:
    """What holds behind the last transition: `standard`, and `daylight` from `start` to `end` of each year, all
    in seconds; None where the clocks do not turn."""

    standard: int
    daylight: int | None = None
    start: Turn | None = None
    end: Turn | None = None

    def sql(self, value: str) -> str:
        """The offset at the moment `value` in UTC, as SQL."""
        if self.start is None or self.end is None:
            return str(self.standard)
        start, end = self.start.sql(value), self.end.sql(value)
        both = "AND" if _moment(self.start, 2001) < _moment(self.end, 2001) else "OR"
        return (
            f"CASE WHEN {value}>={start} {both} {value}<{end} "
            f"THEN {self.daylight} ELSE {self.standard} END"
        )


@dataclass(frozen=True)
class Zone:
    """`offsets[i]` seconds hold from `moments[i - 1]` (seconds since 1970, UTC) until `moments[i]`; behind the
    last moment the rule does."""

    moments: tuple[int, ...]
    offsets: tuple[int, ...]
    rule: Rule

    def offset_sql(self, value: str) -> str:
        """The offset at `value`, a text of UTC, as SQL; `value` occurs in it many times."""
        return _tree(value, self.moments, [*map(str, self.offsets), self.rule.sql(value)])

    @property
    def is_fixed(self) -> bool:
        """Whether the offset has never changed."""
        return not self.moments and self.rule.start is None


def _joined(modifiers: Sequence[str]) -> str:
    return "','".join(modifiers)


def _tree(value: str, moments: Sequence[int], results: Sequence[str]) -> str:
    """Nested CASEs that find a result by halving."""
    if not moments:
        return results[0]
    middle = len(moments) // 2
    before = _tree(value, moments[:middle], results[: middle + 1])
    behind = _tree(value, moments[middle + 1 :], results[middle + 1 :])
    return f"CASE WHEN {value}<'{_text(moments[middle])}' THEN {before} ELSE {behind} END"


def _text(moment: int) -> str:
    """A moment as stored, without what is zero at its end: texts compare the same."""
    text = str(_EPOCH + datetime.timedelta(seconds=moment))
    return text.removesuffix(":00").removesuffix(":00")


@lru_cache(maxsize=1024)
def zone(key: str) -> Zone:
    """The zone of this name; ZoneInfoNotFoundError where there is none."""
    zoneinfo.ZoneInfo(key)  # it knows which names are none, or no paths
    moments, offsets, footer = _parse(_read(key))
    rule = _rule(footer) if footer else Rule(offsets[-1])
    return _shortened(moments, offsets, rule)


def wall_offset_sql(found: Zone, value: str) -> str:
    """The offset that zoneinfo takes for `value`, a local time without a fold, as SQL.

    A time that the clocks skip counts by the offset before, and one that comes twice is the first.
    """
    offsets = [*found.offsets, found.rule.standard]
    moments = [
        moment + max(before, behind)
        for moment, before, behind in zip(found.moments, offsets, offsets[1:], strict=False)
    ]
    if found.moments:
        last = found.moments[-1]
        moments[-1] = last + max(found.offsets[-1], _offset_at(found.rule, last))
    return _tree(value, moments, [*map(str, found.offsets), _wall_rule_sql(found.rule, value)])


def _wall_rule_sql(rule: Rule, value: str) -> str:
    if rule.start is None or rule.end is None or rule.daylight is None:
        return rule.sql(value)
    ahead = max(rule.standard, rule.daylight)
    start = Turn(rule.start.day, rule.start.modifiers, rule.start.seconds + ahead)
    end = Turn(rule.end.day, rule.end.modifiers, rule.end.seconds + ahead)
    return Rule(rule.standard, rule.daylight, start, end).sql(value)


def _read(key: str) -> bytes:
    for folder in zoneinfo.TZPATH:
        path = os.path.join(folder, *key.split("/"))
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read()
    package = ".".join(["tzdata", "zoneinfo", *key.split("/")[:-1]])
    return importlib.resources.files(package).joinpath(key.split("/")[-1]).read_bytes()


def _parse(data: bytes) -> tuple[list[int], list[int], str]:
    """Moments, offsets (one more) and the rule's text."""
    head = struct.Struct(">4sc15x6l")
    magic, version, *counts = head.unpack_from(data)
    if magic != b"TZif":
        raise ValueError("this is no file of a time zone")
    width, place, footer = 4, head.size, ""
    if version != b"\0":  # the same again follows in 64 bits
        is_utc, is_std, leaps, times, types, chars = counts
        place += times * 5 + types * 6 + chars + leaps * 8 + is_std + is_utc
        _, _, *counts = head.unpack_from(data, place)
        width, place = 8, place + head.size
    is_utc, is_std, leaps, times, types, chars = counts
    moments = list(struct.unpack_from(f">{times}{'q' if width == 8 else 'l'}", data, place))
    place += times * width
    indexes = data[place : place + times]
    place += times
    kinds = [struct.unpack_from(">lBB", data, place + 6 * number) for number in range(types)]
    place += types * 6 + chars + leaps * (width + 4) + is_std + is_utc
    if width == 8:
        footer = data[place:].decode("ascii").strip("\n")
    first = next((offset for offset, is_daylight, _ in kinds if not is_daylight), kinds[0][0])
    return moments, [first, *(kinds[index][0] for index in indexes)], footer


def _rule(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no rule of a time zone")
    standard = -_seconds(match[1])
    if match[3] is None:
        return Rule(standard)
    daylight = -_seconds(match[2]) if match[2] else standard + 3600
    return Rule(standard, daylight, _turn(match[3], standard), _turn(match[4], daylight))


def _seconds(clock: str) -> int:
    sign = -1 if clock.startswith("-") else 1
    parts = [int(part) for part in clock.lstrip("+-").split(":")]
    return sign * sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))


def _turn(text: str, offset: int) -> Turn:
    """When the clocks turn that have shown `offset` until then."""
    day, _, clock = text.partition("/")
    seconds = (_seconds(clock) if clock else 7200) - offset
    if day.startswith("M"):
        month, week, weekday = map(int, day[1:].split("."))
        if week < 5:
            return Turn(f"{month:02d}-{7 * week - 6:02d}", (f"weekday {weekday}",), seconds)
        if month == 12:
            return Turn("12-25", (f"weekday {weekday}",), seconds)
        return Turn(f"{month + 1:02d}-01", ("-7 days", f"weekday {weekday}"), seconds)
    if day.startswith("J"):  # the 29th of February is not counted
        number = int(day[1:])
        month = bisect.bisect_left(_DAYS_BEFORE, number)
        return Turn(f"{month:02d}-{number - _DAYS_BEFORE[month - 1]:02d}", (), seconds)
    return Turn("01-01", (f"{int(day)} days",), seconds)


def _shortened(moments: list[int], offsets: list[int], rule: Rule) -> Zone:
    """Without transitions that change nothing, and without those at the end that the rule gives too."""
    kept = [
        place
        for place, moment in enumerate(moments)
        if offsets[place] != offsets[place + 1] and moment > _BEGINNING
    ]
    first = next(
        (place for place, moment in enumerate(moments) if moment > _BEGINNING), len(moments)
    )
    moments, offsets = [moments[p] for p in kept], [offsets[first], *(offsets[p + 1] for p in kept)]
    expected = sorted(_moments_of(rule, moments[-1])) if moments else []
    while len(moments) > 1 and _is_of_rule(rule, expected, moments[-2:], offsets[-2:]):
        moments, offsets = moments[:-1], offsets[:-1]
    # What holds behind the last transition is the rule's: it needs no result of its own.
    return Zone(tuple(moments), tuple(offsets[:-1]), rule)


def _is_of_rule(
    rule: Rule, expected: list[int], moments: Sequence[int], offsets: Sequence[int]
) -> bool:
    """Whether the rule gives the second of two transitions, and the time between them."""
    between = expected[
        bisect.bisect_right(expected, moments[0]) : bisect.bisect_left(expected, moments[1])
    ]
    return not between and list(offsets) == [
        _offset_at(rule, moments[1] - 1),
        _offset_at(rule, moments[1]),
    ]


def _moments_of(rule: Rule, last: int) -> list[int]:
    if rule.start is None or rule.end is None:
        return []
    years = range(_FIRST_YEAR, _year(last) + 2)
    return [_moment(turn, year) for year in years for turn in (rule.start, rule.end)]


def _offset_at(rule: Rule, moment: int) -> int:
    if rule.start is None or rule.end is None or rule.daylight is None:
        return rule.standard
    year = _year(moment)
    start, end = _moment(rule.start, year), _moment(rule.end, year)
    if start < end:
        return rule.daylight if start <= moment < end else rule.standard
    return rule.standard if end <= moment < start else rule.daylight


def _year(moment: int) -> int:
    return (_EPOCH + datetime.timedelta(seconds=moment)).year


def _moment(turn: Turn, year: int) -> int:
    """When the clocks turn in a year, in seconds since 1970."""
    day = datetime.date.fromisoformat(f"{year}-{turn.day}")
    for modifier in turn.modifiers:
        number = int(modifier.removeprefix("weekday ").removesuffix(" days"))
        if modifier.startswith("weekday"):
            day += datetime.timedelta((number - day.isoweekday()) % 7)
        else:
            day += datetime.timedelta(number)
    return (day - _EPOCH.date()).days * 86_400 + turn.seconds
