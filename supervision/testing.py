"""For tests of supervised code: scripted children, recorded reports, and a scheduler that can be repeated.

async def test_the_cache_survives_a_crash_of_the_database(autojump_clock):
    database = Scripted(Act(lives=2, ends="crash"), Act())
    with FaultPlan(seed=1).at("start.before:cache", occurrence=1, do="delay", delay=3):
        supervisor = Supervisor([ChildSpec("db", database), ChildSpec("cache", run_cache)])
        with recorded(supervisor) as reports:
            ...
    assert lines(reports) == [...]
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import attrs
import outcome
import trio

from supervision.child import heartbeat
from supervision.reports import Reader, Report
from supervision.supervisor import Supervisor


@attrs.frozen(kw_only=True)
class Act:
    """What one incarnation of a `Scripted` child does. All times are in seconds.

    start -- until it is ready; inf: never. instead -- "raise" or "return", instead of becoming ready.
    lives, ends -- how long it is ready, and how that ends: "return", or "crash" (raises `error`).
    beats -- it sends a heartbeat this often, for `beats_for` seconds.
    when_cancelled -- "obey"; "crash": raise in its clean-up; "swallow": return as if it was not cancelled.
    cleanup -- shielded seconds between the cancellation and that.
    """

    start: float = 0.0
    instead: Literal["raise", "return"] | None = None
    lives: float = math.inf
    ends: Literal["return", "crash"] = "crash"
    error: BaseException | None = None
    beats: float | None = None
    beats_for: float = math.inf
    when_cancelled: Literal["obey", "crash", "swallow"] = "obey"
    cleanup: float = 0.0


class Scripted:
    """A child's start function that performs one `Act` for each incarnation, and repeats the last one.

    `journal` gets ("enter" | "ready" | "end", name, incarnation, time) as it happens; several children may share one,
    so that their order can be seen. `alive` counts the incarnations that run now, `most_alive` is the highest such
    number so far.
    """

    def __init__(
        self, *acts: Act, name: str = "child", journal: list[tuple[str, str, int, float]] | None = None
    ) -> None:
        self.acts = acts or (Act(),)
        self.name = name
        self.journal: list[tuple[str, str, int, float]] = [] if journal is None else journal
        self.entries = 0
        self.alive = 0
        self.most_alive = 0

    async def __call__(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self.entries += 1
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        number = self.entries
        act = self.acts[min(number, len(self.acts)) - 1]
        self._write("enter", number)
        result = await outcome.acapture(self._play, act, number, lambda: task_status.started())
        cancelled = isinstance(result, outcome.Error) and isinstance(result.error, trio.Cancelled)
        if cancelled and act.cleanup:
            with trio.CancelScope(shield=True):
                await trio.sleep(act.cleanup)
        self.alive -= 1
        self._write("end", number)
        if cancelled and act.when_cancelled == "crash":
            raise ValueError(f"{self.name} in its clean-up")
        if not (cancelled and act.when_cancelled == "swallow"):
            result.unwrap()

    async def _play(self, act: Act, number: int, ready: Callable[[], None]) -> None:
        await trio.sleep(act.start)
        if act.instead == "raise":
            raise act.error or ValueError(f"{self.name} cannot start")
        if act.instead == "return":
            return
        self._write("ready", number)
        ready()
        with trio.move_on_after(act.lives):
            until = trio.current_time() + act.beats_for
            while act.beats is not None and trio.current_time() < until:
                heartbeat()
                await trio.sleep(act.beats)
            await trio.sleep_forever()
        if act.ends == "crash":
            raise act.error or ValueError(f"{self.name} crashed")

    def _write(self, what: str, number: int) -> None:
        self.journal.append((what, self.name, number, trio.current_time()))


class _Record(Reader):
    """A reader that keeps all reports."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[Report] = []

    def put(self, report: Report) -> None:
        self.reports.append(report)


@contextlib.contextmanager
def recorded(supervisor: Supervisor) -> Iterator[list[Report]]:
    """A list to which every report of the next or present run is appended, also those of inner supervisors."""
    record = _Record()
    reporter = supervisor._reporter
    reporter.readers.append(record)
    try:
        yield record.reports
    finally:
        if record in reporter.readers:
            reporter.readers.remove(record)


def lines(reports: Iterable[Report]) -> list[str]:
    """Reports as lines of text, which are equal for equal runs: for tests of determinism."""
    return [
        f"{report.at:.9f} {report.kind} {report.supervisor} {report.child}#{report.incarnation} {report.reason} "
        f"{report.cause!r} delay={report.delay} budget={report.budget_used}"
        for report in reports
    ]


@contextlib.contextmanager
def deterministic_scheduling(seed: int) -> Iterator[None]:
    """Let `trio.run` calls inside the block schedule their tasks in the same way for the same seed.

    trio shuffles each batch of runnable tasks on purpose. Hypothesis relies on these two private names, too.
    """
    run: Any = trio._core._run
    before = run._ALLOW_DETERMINISTIC_SCHEDULING, run._r
    run._ALLOW_DETERMINISTIC_SCHEDULING, run._r = True, random.Random(seed)  # noqa: S311 - repeatable on purpose
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING, run._r = before
