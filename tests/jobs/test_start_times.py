"""``start_after`` of a request: instants, waits, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from actors.jobs.start_times import Start, fault_of, start_of

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-01-31T22:00:00Z", datetime(2026, 1, 31, 22, tzinfo=UTC)),
        ("2026-01-31T22:00:00+01:00", datetime(2026, 1, 31, 21, tzinfo=UTC)),
        ("2026-01-31t22:00:00.500z", datetime(2026, 1, 31, 22, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31 22:00:00Z", datetime(2026, 1, 31, 22, tzinfo=UTC)),
        ("2027-02-01T12:00:00Z", datetime(2027, 2, 1, 12, tzinfo=UTC)),
    ],
)
def test_an_instant_of_the_wall_clock(written, at):
    assert fault_of(written) is None
    assert start_of(written, NOW) == Start(at)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("+2h", 7200), ("+90", 90), ("+90s", 90), ("+15m", 900), ("+1.5h", 5400), ("+1d12h", 129_600)],
)
def test_a_wait_knows_its_length(written, seconds):
    assert fault_of(written) is None
    assert start_of(written, NOW) == Start(NOW + timedelta(seconds=seconds), seconds)


def test_what_is_past_starts_at_once_with_a_note():
    start = start_of("2026-01-31T11:59:59Z", NOW)
    assert start.at is None
    assert start.note == "start_after 2026-01-31T11:59:59Z is past: it may start at once"
    assert start_of("+0s", NOW) == Start()


@pytest.mark.parametrize("written", ["2027-02-02T00:00:00Z", "+367d", "+999999999d"])
def test_more_than_a_year_is_refused(written):
    with pytest.raises(ValueError, match="must be within a year, not"):
        start_of(written, NOW)


@pytest.mark.parametrize(
    "written",
    [
        "", "+", "-2h", "2h", "++2", "+.5h", "+nan", "tomorrow", "2026-01-31",
        "2026-01-31T22:00:00", "2026-01-31T22:00Z", "2026-13-31T22:00:00Z", "2026-01-31T25:00:00Z",
        "0001-01-01T00:00:00+14:00", "2026-01-31T22:00:00+25:00", "+٢h",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_forms_that_are_good(written):
    assert "must be an instant such as 2026-01-31T22:00:00Z, or a wait such as +2h" in fault_of(written)
    with pytest.raises(ValueError, match="must be an instant"):
        start_of(written, NOW)


def test_a_time_of_day_is_for_its_submitters_clock_alone():
    assert fault_of("22:00", times_of_day=True) is None
    assert "the command line and job files take times of day" in fault_of("22:00")


@pytest.mark.parametrize("written", ["+2 h", "+1h90", "+2h1d", "+1h1h", "+2x", "+2h\n"])
def test_a_wait_is_a_duration_as_everywhere(written):
    assert "must be a duration such as" in fault_of(written)
