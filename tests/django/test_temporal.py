"""Dates, times and durations: the SQL gives what Django's functions in Python give, to the microsecond."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator

import pytest
from django.db.backends.sqlite3 import _functions as python
from hypothesis import given, settings
from hypothesis import strategies as st

from django_rqlite import temporal
from django_rqlite.temporal import AS_STORED, Zones
from django_rqlite.zones import zone
from tests.django.values import Asker

EPOCH = datetime.datetime(1970, 1, 1)
ZONES = sorted(zoneinfo.available_timezones())
PARTS = [
    *("year", "month", "day", "hour", "minute", "second", "microsecond"),
    *("week_day", "iso_week_day", "quarter", "week", "iso_year"),
]
DATES = ["year", "quarter", "month", "week", "day"]
TIMES = ["hour", "minute", "second"]

# Away from the ends of time, where Python raises OverflowError and SQLite gives NULL.
moments = st.datetimes(datetime.datetime(2, 1, 1), datetime.datetime(9998, 12, 31))
keys = st.sampled_from(ZONES)
# Years in which zones have changed their rules, and those in which rules must be worked out.
recent = st.datetimes(datetime.datetime(1880, 1, 1), datetime.datetime(2120, 1, 1))
instants = st.one_of(moments, recent)
durations = st.timedeltas(datetime.timedelta(-100_000), datetime.timedelta(100_000))
offsets = st.sampled_from(["", "UTC+05:30", "UTC-01:00", "+03:00"])


@pytest.fixture(scope="module")
def ask() -> Iterator[Asker]:
    asker = Asker()
    yield asker
    asker.close()


@settings(max_examples=100)
@given(instants, keys, st.sampled_from(PARTS))
def test_extract(ask: Asker, moment: datetime.datetime, key: str, part: str) -> None:
    expected = python._sqlite_datetime_extract(part, str(moment), key, "UTC")
    assert ask.value(*temporal.extract(part, "%s", (str(moment),), Zones(key, "UTC"))) == expected


@settings(max_examples=100)
@given(instants, keys, st.sampled_from([*DATES, *TIMES]))
def test_truncate(ask: Asker, moment: datetime.datetime, key: str, kind: str) -> None:
    zones, value = Zones(key, "UTC"), str(moment)
    expected = python._sqlite_datetime_trunc(kind, value, key, "UTC")
    assert ask.value(*temporal.truncate(kind, "%s", (value,), zones)) == expected
    if kind in DATES:
        expected = python._sqlite_date_trunc(kind, value, key, "UTC")
        assert ask.value(*temporal.truncate_to_date(kind, "%s", (value,), zones)) == expected
    else:
        expected = python._sqlite_time_trunc(kind, value, key, "UTC")
        assert ask.value(*temporal.truncate_to_time(kind, "%s", (value,), zones)) == expected


@settings(max_examples=60)
@given(instants, keys)
def test_cast(ask: Asker, moment: datetime.datetime, key: str) -> None:
    zones, value = Zones(key, "UTC"), str(moment)
    expected = python._sqlite_datetime_cast_date(value, key, "UTC")
    assert ask.value(*temporal.cast_to_date("%s", (value,), zones)) == expected
    expected = python._sqlite_datetime_cast_time(value, key, "UTC")
    assert ask.value(*temporal.cast_to_time("%s", (value,), zones)) == expected


@settings(max_examples=60)
@given(recent, keys, keys)
def test_values_stored_in_another_zone(
    ask: Asker, moment: datetime.datetime, stored: str, shown: str
) -> None:
    value = str(moment)
    expected = python._sqlite_datetime_trunc("second", value, shown, stored)
    assert ask.value(*temporal.truncate("second", "%s", (value,), Zones(shown, stored))) == expected


@given(recent, offsets)
def test_fixed_offsets(ask: Asker, moment: datetime.datetime, name: str) -> None:
    value = str(moment)
    shown = name or "UTC"
    expected = python._sqlite_datetime_trunc("second", value, shown, "UTC")
    assert ask.value(*temporal.truncate("second", "%s", (value,), Zones(shown, "UTC"))) == expected


@given(
    st.dates(datetime.date(2, 1, 1), datetime.date(9998, 12, 31)),
    st.sampled_from(PARTS[:3] + PARTS[7:]),
)
def test_extract_of_dates(ask: Asker, date: datetime.date, part: str) -> None:
    expected = python._sqlite_datetime_extract(part, str(date))
    assert ask.value(*temporal.extract(part, "%s", (str(date),), AS_STORED)) == expected


@given(st.times(), st.sampled_from(["hour", "minute", "second", "microsecond"]), st.times())
def test_times(ask: Asker, time: datetime.time, part: str, other: datetime.time) -> None:
    value = str(time)
    expected = python._sqlite_time_extract(part, value)
    assert ask.value(*temporal.extract_of_time(part, "%s", (value,))) == expected
    if part != "microsecond":
        expected = python._sqlite_time_trunc(part, value, None, None)
        assert ask.value(*temporal.truncate_to_time(part, "%s", (value,), AS_STORED)) == expected
    sql = temporal.difference(("%s", (value,)), ("%s", (str(other),)), of_times=True)
    assert ask.value(*sql) == python._sqlite_time_diff(value, str(other))


@given(moments, moments, st.booleans())
def test_difference(
    ask: Asker, left: datetime.datetime, right: datetime.datetime, long: bool
) -> None:
    column = f"coalesce(%s,'{'x' * 200}')" if long else "%s"
    sql = temporal.difference((column, (str(left),)), (column, (str(right),)), of_times=False)
    assert ask.value(*sql) == python._sqlite_timestamp_diff(str(left), str(right))


@settings(max_examples=100)
@given(
    st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9000, 1, 1)),
    durations,
    st.sampled_from("+-"),
    st.booleans(),
    st.booleans(),
)
def test_moment_and_duration(
    ask: Asker,
    moment: datetime.datetime,
    duration: datetime.timedelta,
    connector: str,
    only_date: bool,
    turned: bool,
) -> None:
    value = str(moment.date() if only_date else moment)
    microseconds = duration // datetime.timedelta(microseconds=1)
    arguments: list[object] = [value, microseconds]
    if turned and connector == "+":
        arguments.reverse()
    expected = python._sqlite_format_dtdelta(connector, *arguments)
    assert ask.value(temporal.combine_durations(connector, "%s", "%s"), arguments) == expected


@given(st.integers(-(10**15), 10**15), st.one_of(st.integers(1, 1000), st.floats(0.1, 1000)))
def test_durations_and_numbers(ask: Asker, duration: int, number: float) -> None:
    for connector in "*/":
        expected = python._sqlite_format_dtdelta(connector, duration, number)
        assert (
            ask.value(temporal.combine_durations(connector, "%s", "%s"), [duration, number])
            == expected
        )


def test_null_gives_null(ask: Asker) -> None:
    zones = Zones("Europe/Berlin", "UTC")
    texts = [
        temporal.extract("week", "%s", (None,), zones),
        temporal.truncate("quarter", "%s", (None,), zones),
        temporal.cast_to_time("%s", (None,), zones),
        temporal.difference(("%s", (None,)), ("%s", ("2000-01-01 00:00:00",)), of_times=False),
        (temporal.combine_durations("+", "%s", "%s"), (None, 5)),
        (temporal.combine_durations("-", "%s", "%s"), ("2000-01-01 00:00:00", None)),
    ]
    assert [ask.value(*text) for text in texts] == [None] * len(texts)


@pytest.mark.parametrize("offset", ["+00:00", "+02:00", "-05:30"])
def test_offset_that_others_have_written_is_ignored(ask: Asker, offset: str) -> None:
    for moment in ("2024-01-05 03:04:05", "2024-01-05 03:04:05.000250", "2024-01-05 03:04:05.5"):
        value = moment + offset
        for part in ("hour", "microsecond"):
            expected = python._sqlite_datetime_extract(part, value)
            assert ask.value(*temporal.extract(part, "%s", (value,), AS_STORED)) == expected
        expected = python._sqlite_datetime_cast_time(value, None, None)
        assert ask.value(*temporal.cast_to_time("%s", (value,), AS_STORED)) == expected
        sql = temporal.difference(
            ("%s", (value,)), ("%s", ("2024-01-05 03:04:05",)), of_times=False
        )
        assert ask.value(*sql) == python._sqlite_timestamp_diff(value, "2024-01-05 03:04:05")


def test_what_is_no_date_gives_null(ask: Asker) -> None:
    for value in ("", "abc", "2000-13-01 00:00:00"):
        assert ask.value(*temporal.truncate("day", "%s", (value,), AS_STORED)) is None
        assert ask.value(*temporal.extract("year", "%s", (value,), AS_STORED)) is None


def moments_of(key: str) -> list[str]:
    """The moments at which a zone's clocks turn, with their neighbours; years far ahead too."""
    found = zone(key)
    turns = list(found.moments)
    rule = found.rule
    if rule.start is not None and rule.end is not None:
        for year in (2024, 2037, 2038, 2100, 2400, 9990):
            for turn in (rule.start, rule.end):
                day = datetime.date.fromisoformat(f"{year}-{turn.day}")
                turns += [
                    (day - EPOCH.date()).days * 86_400 + turn.seconds + d * 86_400
                    for d in range(-7, 8)
                ]
    return [
        str(EPOCH + datetime.timedelta(seconds=turn, microseconds=micro))
        for turn in turns
        for micro in (-1_000_000, -1, 0, 1)
    ]


@pytest.mark.parametrize("letter", sorted({key[:2] for key in ZONES}))
def test_every_turn_of_every_zone(ask: Asker, letter: str) -> None:
    for key in ZONES:
        if not key.startswith(letter):
            continue
        sql, _ = temporal.truncate("second", "x", (), Zones(key, "UTC"))
        values = moments_of(key)
        shown = ask.over_rows(f"json_group_array({sql})", values) if values else "[]"
        expected = [python._sqlite_datetime_trunc("second", value, key, "UTC") for value in values]
        assert ask.value("%s", [shown]) == pyrqlite_json(expected), key


def pyrqlite_json(values: list[str]) -> str:
    return "[" + ",".join(f'"{value}"' for value in values) + "]"
