"""Dates, times and durations as SQL: what Django's SQLite backend does by functions written in Python.

Values are texts as Django stores them: `YYYY-MM-DD`, `HH:MM:SS[.ffffff]`, both with a blank between them;
durations are microseconds. SQLite's own functions keep milliseconds only, so they see whole seconds, and the
fraction goes beside them. `%` is doubled, since the text is a template with parameters.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from django.db.backends.utils import split_tzname_delta
from django.db.utils import OperationalError

from django_rqlite.zones import wall_offset_sql, zone

Sql = tuple[str, tuple[object, ...]]

# What stands for the value in the texts below, and what it is called where a subquery names it.
_VALUE = "\0"
_NAME = "_value"
_DAY = 86_400_000_000  # microseconds

_PARTS = {
    "year": "CAST(strftime('%%Y',{x}) AS INTEGER)",
    "month": "CAST(strftime('%%m',{x}) AS INTEGER)",
    "day": "CAST(strftime('%%d',{x}) AS INTEGER)",
    "hour": "CAST(strftime('%%H',{x}) AS INTEGER)",
    "minute": "CAST(strftime('%%M',{x}) AS INTEGER)",
    "second": "CAST(strftime('%%S',{x}) AS INTEGER)",
    "week_day": "(strftime('%%w',{x})+1)",
    "iso_week_day": "((strftime('%%w',{x})+6)%%7+1)",
    "quarter": "((strftime('%%m',{x})+2)/3)",
    # The Thursday of a week says to which year it belongs.
    "week": "((strftime('%%j',{x},'-3 days','weekday 4')-1)/7+1)",
    "iso_year": "CAST(strftime('%%Y',{x},'-3 days','weekday 4') AS INTEGER)",
}
_DATES = {
    "year": "strftime('%%Y-01-01',{x})",
    "quarter": "(strftime('%%Y-',{x})||substr('01040710',(strftime('%%m',{x})-1)/3*2+1,2)||'-01')",
    "month": "strftime('%%Y-%%m-01',{x})",
    "week": "date({x},'-6 days','weekday 1')",
    "day": "date({x})",
}
_TIMES = {
    "hour": "strftime('%%H:00:00',{x})",
    "minute": "strftime('%%H:%%M:00',{x})",
    "second": "strftime('%%H:%%M:%%S',{x})",
}
# Microseconds, from the point on; digits alone count, so that an offset behind them ('+02:00') does not.
_FRACTION = "CAST(CAST('0'||substr({v},{point}) AS REAL)*1000000+0.0001 AS INTEGER)"


class Zones(NamedTuple):
    """The zone to show, by Django's name of it, and the zone in which values are stored; both None: as stored."""

    shown: str | None
    stored: str | None


AS_STORED = Zones(None, None)


def extract(kind: str, sql: str, params: tuple[object, ...], zones: Zones) -> Sql:
    """A part of a date or date and time, as an integer."""
    if kind == "microsecond":
        return _over(sql, params, _fraction(20))
    return _localized(sql, params, _known(_PARTS, kind), zones)


def extract_of_time(kind: str, sql: str, params: tuple[object, ...]) -> Sql:
    """A part of a time of day."""
    if kind == "microsecond":
        return _over(sql, params, _fraction(9))
    return _localized(sql, params, _known(_PARTS, kind), AS_STORED)


def truncate_to_date(kind: str, sql: str, params: tuple[object, ...], zones: Zones) -> Sql:
    """The date on which the year, month, ... begins."""
    return _localized(sql, params, _known(_DATES, kind), zones)


def truncate(kind: str, sql: str, params: tuple[object, ...], zones: Zones) -> Sql:
    """The date and time at which the year, month, ..., second begins."""
    if kind in _TIMES:
        body = _TIMES[kind].replace("'%%H", "'%%Y-%%m-%%d %%H")
    else:
        body = f"({_known(_DATES, kind)}||' 00:00:00')"
    return _localized(sql, params, body, zones)


def truncate_to_time(kind: str, sql: str, params: tuple[object, ...], zones: Zones) -> Sql:
    """The time of day at which the hour, minute, second begins, of a time or a date and time."""
    return _localized(sql, params, _known(_TIMES, kind), zones)


def cast_to_date(sql: str, params: tuple[object, ...], zones: Zones) -> Sql:
    """The date of a date and time."""
    return _localized(sql, params, _DATES["day"], zones)


def cast_to_time(sql: str, params: tuple[object, ...], zones: Zones) -> Sql:
    """The time of day of a date and time, with its microseconds where there are any."""
    fraction = f"coalesce('.'||nullif(substr('00000'||{_fraction(20)},-6),'000000'),'')"
    return _localized(sql, params, f"({_TIMES['second']}||{fraction})", zones)


def _known(table: dict[str, str], kind: str) -> str:
    if kind not in table:
        raise OperationalError(f"Unsupported lookup type: {kind!r}")
    return table[kind]


def _fraction(point: int) -> str:
    """The microseconds of a value whose point stands at this place."""
    return _FRACTION.format(v=_VALUE, point=point)


def _over(sql: str, params: tuple[object, ...], body: str) -> Sql:
    """`body` with `sql` for the value: in its places if they are few (so that it is allowed in an index or a
    CHECK), else by a subquery that names it."""
    uses = body.count(_VALUE)
    if uses <= 3:
        return body.replace(_VALUE, sql), params * uses
    return f"(SELECT {body.replace(_VALUE, _NAME)} FROM (SELECT {sql} AS {_NAME}))", params


def _localized(sql: str, params: tuple[object, ...], body: str, zones: Zones) -> Sql:
    """`body`, whose `{x}` are the whole seconds of the value in the zone to show."""
    *steps, last = _steps(zones) or (None,)
    for step in steps:
        moved = f"strftime('%%Y-%%m-%%d %%H:%%M:%%S',substr({_VALUE},1,19),{step})"
        sql, params = _over(sql, params, f"({moved}||substr({_VALUE},20))")
    seconds = f"substr({_VALUE},1,19)" + ("" if last is None else f",{last}")
    return _over(sql, params, body.replace("{x}", seconds))


@lru_cache(maxsize=1024)
def _steps(zones: Zones) -> tuple[str, ...]:
    """The modifiers that make local time of a stored value, each for the value that the one before made."""
    if zones.shown is None or zones.stored is None or zones.shown == zones.stored:
        return ()
    name, sign, offset = split_tzname_delta(zones.shown)
    steps: list[str] = []
    if offset:
        hours, minutes = offset.split(":")[:2]
        seconds = (int(hours) * 60 + int(minutes)) * 60
        steps.append(f"'{'-' if sign == '-' else ''}{seconds} seconds'")
    if name and name != zones.stored:
        steps += _between(zones.stored, name)
    return tuple(steps)


def _between(stored: str, shown: str) -> list[str]:
    """The modifiers from the local time of one zone to that of another."""
    steps = []
    known = zone(stored)
    if not (known.is_fixed and known.rule.standard == 0):
        steps.append(_modifier(f"-({wall_offset_sql(known, _VALUE)})"))
    steps.append(_modifier(zone(shown).offset_sql(_VALUE)))
    return steps


def _modifier(seconds: str) -> str:
    return f"({seconds})||' seconds'"


# Differences and durations.


def _microseconds(value: str, point: int, before: str = "") -> str:
    """Microseconds since 1970 of a text with its point at this place."""
    fraction = _FRACTION.format(v=value, point=point)
    seconds = f"strftime('%%s',{before}substr({value},1,{point - 1}))"
    return f"({seconds}*1000000+{fraction})"


def difference(lhs: Sql, rhs: Sql, of_times: bool) -> Sql:
    """Microseconds from `rhs` to `lhs`: both times of day, or both dates or dates and times."""
    point, before = (9, "'1970-01-01 '||") if of_times else (20, "")
    (left, left_params), (right, right_params) = lhs, rhs
    if len(left) + len(right) < 200:
        text = f"({_microseconds(left, point, before)}-{_microseconds(right, point, before)})"
        return text, (*left_params * 2, *right_params * 2)
    left_sql, right_sql = _microseconds("_lhs", point, before), _microseconds("_rhs", point, before)
    text = f"(SELECT {left_sql}-{right_sql} FROM (SELECT {left} AS _lhs,{right} AS _rhs))"
    return text, (*left_params, *right_params)


def combine_durations(connector: str, lhs: str, rhs: str) -> str:
    """`lhs connector rhs` where at least one is a duration; each occurs once, and in this order.

    A date is moved by whole days, as Python moves it.
    """
    source = f"(SELECT {lhs} AS _lhs,{rhs} AS _rhs)"
    if connector == "*":
        return f"(SELECT _lhs*_rhs FROM {source})"
    if connector == "/":
        return f"(SELECT CAST(_lhs AS REAL)/_rhs FROM {source})"
    both_are_numbers = "typeof(_lhs)<>'text' AND typeof(_rhs)<>'text'"
    moment = "CASE typeof(_lhs) WHEN 'text' THEN _lhs ELSE _rhs END"
    duration = "CASE typeof(_lhs) WHEN 'text' THEN _rhs ELSE _lhs END"
    if connector == "-":
        moment = "CASE typeof(_lhs) WHEN 'text' THEN _lhs END"  # nothing less a moment
    parts = (
        f"SELECT {both_are_numbers} AS _plain,_lhs{connector}_rhs AS _number,{moment} AS _moment,"
        f"CAST(round({duration}) AS INTEGER) AS _by FROM {source}"
    )
    total = f"({_FRACTION.format(v='_moment', point=20)}{connector}_by)"
    fraction = f"(({total}%%1000000+1000000)%%1000000)"
    of_day = f"((_by%%{_DAY}+{_DAY})%%{_DAY})"
    days = f"((_by-{of_day})/{_DAY})"
    whole = f"datetime(substr(_moment,1,19),(({total}-{fraction})/1000000)||' seconds')"
    digits = f"CASE {fraction} WHEN 0 THEN '' ELSE '.'||substr('00000'||{fraction},-6) END"
    return (
        "(SELECT CASE WHEN _plain THEN _number "
        f"WHEN length(_moment)=10 THEN date(_moment,({connector}{days})||' days') "
        f"ELSE {whole}||{digits} END FROM ({parts}))"
    )
