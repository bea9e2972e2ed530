"""``22:00`` becomes an instant: the next time that the submitter's clock shows it."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.wall_clock import in_utc, is_time_of_day, next_time

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca")


def at(text):
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("written", "now", "then"),
    [
        ("22:00", "2026-01-31T12:00:00+01:00", "2026-01-31T21:00:00Z"),
        ("7:05", "2026-01-31T12:00:00+01:00", "2026-02-01T06:05:00Z"),
        ("22:00:30", "2026-01-31T22:00:29+01:00", "2026-01-31T21:00:30Z"),
        ("22:00", "2026-01-31T21:59:59.999999+01:00", "2026-01-31T21:00:00Z"),
        # exactly now means tomorrow
        ("22:00", "2026-01-31T22:00:00+01:00", "2026-02-01T21:00:00Z"),
        # the clock goes from 2:00 to 3:00 on 29 March: what it never shows is the first instant after
        ("02:30", "2026-03-28T23:00:00+01:00", "2026-03-29T01:00:00Z"),
        ("02:00", "2026-03-28T23:00:00+01:00", "2026-03-29T01:00:00Z"),
        ("03:00", "2026-03-28T23:00:00+01:00", "2026-03-29T01:00:00Z"),
        ("01:59", "2026-03-28T23:00:00+01:00", "2026-03-29T00:59:00Z"),
        ("02:30", "2026-03-29T03:00:00+02:00", "2026-03-30T00:30:00Z"),
        # it shows 2:00 to 3:00 twice on 25 October: the earlier of those to come
        ("02:30", "2026-10-25T00:00:00+02:00", "2026-10-25T00:30:00Z"),
        ("02:30", "2026-10-25T02:40:00+02:00", "2026-10-25T01:30:00Z"),
        ("02:30", "2026-10-25T02:40:00+01:00", "2026-10-26T01:30:00Z"),
    ],
)
def test_the_next_time_that_the_clock_shows_it(written, now, then):
    assert in_utc(written, at(now), BERLIN) == then


def test_a_day_that_a_zone_left_out_is_no_obstacle():
    """Samoa went from the end of 29 December 2011 to 31 December."""
    now = at("2011-12-29T23:00:00-10:00")
    assert in_utc("12:00", now, ZoneInfo("Pacific/Apia")) == "2011-12-30T10:00:00Z"  # the first instant after


@pytest.mark.parametrize("text", ["+2h", "2026-01-31T22:00:00Z", "24:00", "22", "22:60", "tomorrow", "", "٢٢:00"])
def test_any_other_text_stays_as_it_is(text):
    assert in_utc(text, at("2026-01-31T12:00:00Z"), BERLIN) == text
    assert not is_time_of_day(text)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo", "UTC"])
def test_without_a_zone_it_is_the_machines_own(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for month in (1, 3, 7, 10):
            now = datetime(2026, month, 28, 23, 11, tzinfo=UTC)
            assert in_utc("02:30", now) == in_utc("02:30", now, ZoneInfo(zone))
    finally:
        monkeypatch.undo()
        time.tzset()


@given(
    now=st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds it
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 24 * 60 - 1),
)
def test_it_is_what_somebody_sees_who_watches_the_clock(now, zone, minutes):
    """Minute by minute from now on: the first that shows the time, or jumps over it."""
    clock = ZoneInfo(zone)
    hour, minute = divmod(minutes, 60)
    found = next_time(hour, minute, 0, now, clock)
    watched = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    before = (watched - timedelta(minutes=1)).astimezone(clock).replace(tzinfo=None)
    while True:
        shown = watched.astimezone(clock).replace(tzinfo=None)
        wanted = shown.replace(hour=hour, minute=minute)
        if before < wanted <= shown and shown - before < timedelta(hours=12):
            break
        before, watched = shown, watched + timedelta(minutes=1)
    assert found == watched
