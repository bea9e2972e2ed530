"""Safeguards of jobs that wait for others or for their time, each with a way to take it out (see ``planted.py``)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.jobs import start_times
from actors.jobs.records import QueueEntry
from actors.ledger import cascade, submit
from actors.scheduler import Scheduler
from actors.simulation import turns
from actors.store import dependencies


def ends_that_are_followed(patch: pytest.MonkeyPatch) -> None:
    """The end of a job that others wait for is not put on the list of those to be followed."""
    patch.setattr(dependencies, "note_end", lambda _connection, _parent, _now: None)


def whole_fan_before_the_end_is_done(patch: pytest.MonkeyPatch) -> None:
    """An ended job leaves the list after one batch, however many wait for it."""
    close, done = dependencies.close, dependencies.done

    def close_and_be_done(connection, parent, job_ids, broken):
        close(connection, parent, job_ids, broken)
        done(connection, parent.job_id)

    patch.setattr(dependencies, "close", close_and_be_done)
    patch.setattr(cascade, "BATCH", 10)  # so that few are more than a batch


def all_parents_and_not_one(patch: pytest.MonkeyPatch) -> None:
    """A job starts when the first of those that it waits for has ended."""

    def waiting_for_one(**fields):
        return QueueEntry(**fields | {"unfinished_parents": min(1, fields["unfinished_parents"])})

    patch.setattr(submit, "QueueEntry", waiting_for_one)


def bad_ends_are_no_good_ones(patch: pytest.MonkeyPatch) -> None:
    """A job starts however those that it waits for ended."""
    patch.setattr(cascade, "breaks", lambda _status, _mode: False)


def later_starts(patch: pytest.MonkeyPatch) -> None:
    """A job that is to start later may start at once."""
    patch.setattr(submit, "start_of_request", lambda _request, _now: start_times.AT_ONCE)


def look_that_is_due_once(patch: pytest.MonkeyPatch) -> None:
    """A scheduler for which something was due is due again and again afterwards."""
    tick = Scheduler.tick

    async def stays_due(self, causes):
        due = self._opens_at
        await tick(self, causes)
        self._opens_at = min(due, self._opens_at)

    patch.setattr(Scheduler, "tick", stays_due)
    patch.setattr(turns, "MOST", 5_000)  # so that it does not take long


PLANTED_WAITS: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    ends_that_are_followed: {"cascades complete"},
    whole_fan_before_the_end_is_done: {"cascades complete"},
    all_parents_and_not_one: {"no dependant before its parents' end", "waiting jobs count their parents"},
    bad_ends_are_no_good_ones: {"no dependant before its parents' end", "a bad end cancels what waits for a good one"},
    later_starts: {"later starts not before their time"},
    look_that_is_due_once: {"time goes on"},
}
"""Each with the rules by which it is noticed."""
