"""Times on the command line: an instant, a time of day that has passed, an age."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from actors.cli.context import BadInput
from actors.cli.moments import moment

NOW = datetime(2026, 6, 1, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-05-31T22:00:00Z", "2026-05-31T22:00:00+00:00"),
        ("2026-05-31T22:00:00+05:30", "2026-05-31T16:30:00+00:00"),
        ("2026-05-31 22:00", "2026-05-31T20:00:00+00:00"),
        ("2026-05-31", "2026-05-30T22:00:00+00:00"),
        ("2026-01-31", "2026-01-30T23:00:00+00:00"),
        ("12:29", "2026-06-01T10:29:00+00:00"),
        ("12:30", "2026-06-01T10:30:00+00:00"),
        ("12:31", "2026-05-31T10:31:00+00:00"),
        ("22:00", "2026-05-31T20:00:00+00:00"),
        ("9:05:07", "2026-06-01T07:05:07+00:00"),
        ("2h", "2026-06-01T08:30:00+00:00"),
        ("1d12h", "2026-05-30T22:30:00+00:00"),
        ("90", "2026-06-01T10:28:30+00:00"),
        (None, None),
    ],
)
def test_what_a_time_means(text: str | None, meant: str | None) -> None:
    assert moment(text, "--since", NOW) == meant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "24:00", "12:60", "2026-13-01", "1h90", "-1h", "9999999d", "x" * 999]
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(
        BadInput, match=r"^--until: must be a time such as 2026-11-29T22:00, 22:00, or an age such as 2h"
    ):
        moment(text, "--until", NOW)
