"""Nudges the watcher: waits for the next change on the remote's clock. Faults can lose, double or delay nudges."""

from __future__ import annotations

import heapq
import math
from datetime import datetime, timedelta
from itertools import count

import trio

from actors.providers.base import Nudge
from actors.providers.scripted.faults import Fault, FaultBook, FaultKind
from actors.providers.scripted.remote import Run, ScriptedRemote

#: Seconds between two looks at the remote's clock, which may be a wall clock that steps.
LOOK_AGAIN = 30.0
#: The shortest sleep: two clocks that round differently must not make a busy loop of it.
_SHORTEST = 0.001


class Nudges:
    """The state of one watcher: when to look at which run, and which delayed nudges are still to come."""

    def __init__(self, remote: ScriptedRemote, faults: FaultBook[Fault], nudge: Nudge) -> None:
        self._remote = remote
        self._faults = faults
        self._nudge = nudge
        self._read = 0
        self._arriving = True
        self._expected: dict[str, datetime] = {}
        self._tie = count()
        self._changes: list[tuple[datetime, int, Run]] = []
        self._late: list[tuple[datetime, int, str]] = []

    async def run(self) -> None:
        """Nudge once for every run that is kept, then at each change, until cancelled."""
        while True:
            self._read_journal()
            now = self._remote.now()
            while self._changes and self._changes[0][0] <= now:
                at, _, run = heapq.heappop(self._changes)
                if self._expected.get(run.run_id) == at:  # else its timeline has changed since
                    self._push(run.key, now)
                    self._expect(run, run.timeline.next_change(now))
            while self._late and self._late[0][0] <= now:
                self._nudge(heapq.heappop(self._late)[2])
            await self._wait(now)

    def _read_journal(self) -> None:
        touched, self._read = self._remote.touched_after(self._read)
        arriving, self._arriving = self._arriving, False
        for run in (run for run in touched if not run.forgotten):
            news = arriving or run.run_id in self._expected
            # The answer to a submission had the phase it began in: only later changes are new.
            self._expect(run, self._remote.now() if news else run.timeline.next_change(run.submitted_at))

    def _expect(self, run: Run, at: datetime | None) -> None:
        if at is None:
            self._expected.pop(run.run_id, None)
        else:
            self._expected[run.run_id] = at
            heapq.heappush(self._changes, (at, next(self._tie), run))

    def _push(self, key: str, now: datetime) -> None:
        fault = self._remote.fault("push", key, self._faults)
        match fault.kind if fault is not None else None:
            case FaultKind.DROP:
                return
            case FaultKind.LATE if fault is not None:
                heapq.heappush(self._late, (now + timedelta(seconds=fault.seconds), next(self._tie), key))
                return
            case FaultKind.DOUBLE:
                self._nudge(key)
        self._nudge(key)

    async def _wait(self, now: datetime) -> None:
        if self._remote.touches > self._read:
            await trio.lowlevel.checkpoint()
            return
        due = min((heap[0][0] for heap in (self._changes, self._late) if heap), default=None)
        seconds = math.inf if due is None else min(max((due - now).total_seconds(), _SHORTEST), LOOK_AGAIN)
        with trio.move_on_after(seconds):
            await self._remote.changed.park()
