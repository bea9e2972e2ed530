"""When the series of a job are written: at most every ten seconds, only if they grew, and always with its end."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

from actors.jobs.records import Observation, Phase
from actors.jobs.series import Snapshot
from actors.poller import series_turns
from actors.poller.series_turns import SeriesTurns


def seen(lines: int | None, phase: Phase = Phase.RUNNING) -> Observation:
    return Observation(phase, phase.value, series=None if lines is None else Snapshot(lines, ()))


def passed_on(turns: SeriesTurns, observation: Observation, key: str = "a") -> bool:
    """Whether its series are written now; if so, they are."""
    found = turns.in_turn(key, observation)
    if found.series is not None:
        turns.written({key: found})
    return found.series is not None


async def test_series_are_written_at_once_and_then_every_ten_seconds_if_they_grew(autojump_clock: Any) -> None:
    turns = SeriesTurns()
    assert passed_on(turns, seen(1))
    assert not passed_on(turns, seen(1))
    assert (turns.next_due, turns.due()) == (math.inf, frozenset())
    began = trio.current_time()
    await trio.sleep(9.5)
    assert not passed_on(turns, seen(2))
    assert (turns.next_due, turns.due()) == (began + 10, frozenset())
    await trio.sleep(0.5)
    assert turns.due() == {"a"}
    assert (turns.next_due, turns.due()) == (math.inf, frozenset())  # it is asked about once
    assert passed_on(turns, seen(2))
    await trio.sleep(10)
    assert not passed_on(turns, seen(2))


async def test_what_is_held_back_is_no_longer_due_once_it_is_written(autojump_clock: Any) -> None:
    turns = SeriesTurns()
    for lines in (1, 2):
        passed_on(turns, seen(lines))
    await trio.sleep(10)
    assert passed_on(turns, seen(3))
    assert turns.next_due == math.inf


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT, Phase.LOST])
async def test_the_end_of_a_job_has_its_series_whenever_it_comes(autojump_clock: Any, phase: Phase) -> None:
    turns = SeriesTurns()
    for lines in (1, 2):
        passed_on(turns, seen(lines))
    assert passed_on(turns, seen(2, phase))
    assert turns.next_due == math.inf
    assert passed_on(turns, seen(2))  # nothing is remembered of it


async def test_each_job_has_its_own_turn_and_one_without_series_has_none(autojump_clock: Any) -> None:
    turns = SeriesTurns()
    assert passed_on(turns, seen(1))
    assert passed_on(turns, seen(1), "b")
    assert turns.in_turn("c", seen(None)) == seen(None)
    turns.written({"c": seen(None)})
    assert passed_on(turns, seen(0), "c")


async def test_where_too_many_are_remembered_series_are_written_once_more_than_necessary(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_turns, "_KEPT", 2)
    turns = SeriesTurns()
    for key in ("a", "b", "c"):
        assert passed_on(turns, seen(1), key)
    assert not passed_on(turns, seen(1), "a")
    assert passed_on(turns, seen(1), "d")
    assert [passed_on(turns, seen(1), key) for key in ("d", "a")] == [False, True]
