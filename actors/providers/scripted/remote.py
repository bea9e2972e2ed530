"""The simulated server of a scripted provider: it goes on while our process is not running, and records our calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import attrs
import trio

from actors.jobs.records import Resources
from actors.providers.scripted.faults import Fault, FaultBook, FaultKind
from actors.providers.scripted.script import Script, Timeline, timeline

ENDS_KEPT = 1_000
"""How many ended runs, and how many calls, a remote of one process keeps at least. It keeps at most twice as many."""


@attrs.frozen
class Asked:
    """What a submission asks for: the script, for whom it runs, and on which resources."""

    script: Script
    user_id: str = ""
    org_id: str | None = None
    team_id: str | None = None
    resources: Resources = attrs.field(factory=Resources)
    max_runtime: float | None = None


@attrs.frozen
class Call:
    """One request as the remote saw it. ``fault`` is the fault that hit the whole call."""

    at: datetime
    name: str
    keys: tuple[str, ...]
    fault: FaultKind | None = None


@attrs.define(eq=False)
class Run:
    """One accepted job. Where nothing prevents it, a key that is submitted twice has two runs.

    ``reported``: its end was in an answer. ``interrupted``: when and why it was ended from outside.
    """

    run_id: str
    key: str
    token: str
    asked: Asked
    context: Mapping[str, str]
    submitted_at: datetime
    endless: bool = False
    cancelled_at: datetime | None = None
    forgotten: bool = False
    reported: bool = False
    interrupted: tuple[datetime, str] | None = None

    @property
    def timeline(self) -> Timeline:
        """When the run starts and ends, as far as is known now."""
        planned = timeline(
            self.asked.script,
            self.submitted_at,
            self.cancelled_at,
            max_runtime=self.asked.max_runtime,
            endless=self.endless,
            attempt=int(self.context.get("attempt", "1")),
        )
        return planned if self.interrupted is None else planned.cut(*self.interrupted)


def system_now() -> datetime:
    """Return the machine's time, in UTC."""
    return datetime.now(UTC)


class ScriptedRemote:
    """Holds the runs. Give one to several providers in turn, and the jobs survive our restarts.

    ``now`` is its only clock: the machine's, or a virtual one. ``calls`` and ``runs`` record all that was asked and
    accepted, in order; :meth:`most_at_once` shows whether limits held at the provider.

    ``outlives_us`` false: no later process will find it, so a run that it does not know is proven dead. It lives as
    long as a supervisor, so it forgets: of runs whose end was reported it keeps the newest :data:`ENDS_KEPT`, and as
    many calls. What has not ended, and an end that was in no answer, is kept. An end that was reported but could not be
    written down is asked about again long before so many others have ended and were written down.
    """

    def __init__(self, now: Callable[[], datetime] = system_now, *, outlives_us: bool = True) -> None:
        self.now = now
        self.outlives_us = outlives_us
        self.calls: list[Call] = []
        self.runs: list[Run] = []
        self.touched: list[Run] = []  # a journal: each run anew whenever its timeline changed
        self._dropped = 0  # entries of the journal that are there no more
        self.changed = trio.lowlevel.ParkingLot()
        self._opened_at = now()
        self._by_id: dict[str, Run] = {}
        self._by_key: dict[str, Run] = {}
        self._accepted = 0
        self._reported: list[Run] = []
        self._faults = FaultBook[Fault]()
        self._job_faults: dict[str, FaultBook[Fault]] = {}
        self._job_of_key: dict[str, str] = {}

    @property
    def touches(self) -> int:
        """How many entries the journal has had."""
        return self._dropped + len(self.touched)

    def touched_after(self, number: int) -> tuple[list[Run], int]:
        """Return the journal after its first ``number`` entries, and its present length. An entry may be there
        twice.
        """
        return self.touched[max(0, number - self._dropped) :], self.touches

    def inject(self, *faults: Fault) -> None:
        """Let ``faults`` hit the calls that follow."""
        self._faults.add(*faults)

    def heal(self) -> None:
        """Remove every injected fault. The faults in the scripts of jobs stay."""
        self._faults.clear()

    @property
    def opened_at(self) -> datetime:
        """Since when the remote keeps runs."""
        return self._opened_at

    def elapsed(self) -> float:
        """Seconds since this remote was opened. The times of faults are counted from there."""
        return (self.now() - self._opened_at).total_seconds()

    def record(self, call: Call) -> None:
        """Add to ``calls``."""
        self.calls.append(call)
        if not self.outlives_us and len(self.calls) >= 2 * ENDS_KEPT:
            del self.calls[:ENDS_KEPT]

    def fault(self, name: str, key: str | None, others: FaultBook[Fault]) -> Fault | None:
        """Take the fault that hits this call: from the script of job ``key``, an injected one, or one of ``others``."""
        own = None if key is None else self.job_fault(name, key)
        return own or self._struck_by(self._faults, name) or self._struck_by(others, name)

    def job_fault(self, name: str, key: str) -> Fault | None:
        """Take the fault in the script of the job ``key`` that hits this call."""
        book = self._job_faults.get(self._job_of_key.get(key, ""))
        return self._struck_by(book, name) if book is not None else None

    def _struck_by(self, book: FaultBook[Fault], name: str) -> Fault | None:
        elapsed = self.elapsed()
        return book.take(lambda fault: fault.strikes(name, elapsed))

    def introduce(self, key: str, job_id: str, script: Script) -> None:
        """Note the faults of a job before it is accepted. They are counted over all keys of the job."""
        self._job_of_key[key] = job_id
        if script.faults:
            self._job_faults.setdefault(job_id, FaultBook(script.faults))

    def accept(self, key: str, token: str, asked: Asked, context: Mapping[str, str], *, endless: bool) -> Run:
        """Start a run, even if another one has the same ``key``."""
        self._accepted += 1
        run = Run(f"run-{self._accepted}", key, token, asked, dict(context), self.now(), endless)
        self.runs.append(run)
        self._by_id[run.run_id] = self._by_key[key] = run
        self._touch(run)
        return run

    def by_key(self, key: str) -> Run | None:
        """Return the newest run of ``key`` that is kept."""
        return _kept(self._by_key.get(key))

    def by_handle(self, key: str, run_id: object) -> Run | None:
        """Return the run of this id, if it is kept.

        Where runs end with their process, a run of an earlier process may have had this id, under another key.
        """
        run = _kept(self._by_id.get(run_id)) if isinstance(run_id, str) else None
        return run if run is not None and (self.outlives_us or run.key == key) else None

    def report(self, run: Run) -> None:
        """Note that the state of ``run`` was in an answer. If it has ended, it may be removed when many others have
        ended.
        """
        if self.outlives_us or run.reported or not run.timeline.ended(self.now()):
            return
        run.reported = True
        self._reported.append(run)
        if len(self._reported) >= 2 * ENDS_KEPT:
            self._forget(self._reported[:ENDS_KEPT])

    def _forget(self, old: list[Run]) -> None:
        del self._reported[: len(old)]
        for run in old:
            run.forgotten = True
            del self._by_id[run.run_id]
            if self._by_key.get(run.key) is run:
                del self._by_key[run.key]
                self._job_faults.pop(self._job_of_key.pop(run.key, ""), None)
        self.runs = [run for run in self.runs if not run.forgotten]
        journal = [run for run in self.touched if not run.forgotten]
        self._dropped, self.touched = self.touches - len(journal), journal

    def cancel(self, run: Run) -> bool:
        """Begin to stop ``run``, once. Returns False where it had ended."""
        if run.timeline.ended(self.now()):
            return False
        if run.cancelled_at is None:
            run.cancelled_at = self.now()
            self._touch(run)
        return True

    def interrupt(self, run: Run, reason: str) -> bool:
        """End ``run`` now, as the loss of its node would. Returns False where it had ended."""
        if run.timeline.ended(self.now()):
            return False
        run.interrupted = self.now(), reason
        self._touch(run)
        return True

    def runs_of(self, key: str) -> list[Run]:
        """Return every run that was ever accepted under ``key``, including removed ones."""
        return [run for run in self.runs if run.key == key]

    def calls_of(self, name: str, key: str | None = None) -> list[Call]:
        """Return the calls of that name: all of them, or those about ``key``."""
        return [call for call in self.calls if call.name == name and (key is None or key in call.keys)]

    def _touch(self, run: Run) -> None:
        self.touched.append(run)
        self.changed.unpark_all()


def _kept(run: Run | None) -> Run | None:
    return run if run is not None and not run.forgotten else None
