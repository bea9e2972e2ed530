"""One run of a supervisor: its whole state, and the operations that every part of it needs.

The operations are in `starting`, `stopping`, `restarting`, `endings` and `requests`; `loop` calls them in turn. They
all run in the supervisor's own task, and none of them waits: whatever must be waited for (readiness, an end, a delay, a
limit) is a note here, and the loop returns to it. So nothing that one child does delays the restarts, requests or
snapshots of others.
"""

from __future__ import annotations

import enum
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable

import attrs
import trio

from supervision.child import Child
from supervision.errors import SupervisionError
from supervision.lifecycle import Trigger
from supervision.replies import Reply
from supervision.reports import Report, Reporter, ReportKind
from supervision.restart_window import RestartWindow
from supervision.snapshots import ChildInfo
from supervision.spec import ChildSpec, Restart, SupervisorOptions


class Phase(enum.Enum):
    """The phase of a run. UP begins when every child is ready; STOPPING is final."""

    STARTING = enum.auto()
    UP = enum.auto()
    STOPPING = enum.auto()


Request = tuple[Callable[..., bool], Reply]


@attrs.define(eq=False)
class Retry:
    """A restart of a group. `child` is the one whose failure caused it; None: no failure, those that are due are
    started.
    """

    child: Child | None
    delay: float
    waiting: bool = False


@attrs.define(eq=False)
class SupervisorState:
    """All that a supervisor's task knows in one run.

    `to_stop` is in start order and is emptied from its end; `due` is emptied from its beginning.
    """

    options: SupervisorOptions
    reporter: Reporter
    owner: Child | None  # the child, one level up, in which this supervisor runs
    on_stopping: Callable[[], None] = lambda: None
    phase: Phase = Phase.STARTING
    over: bool = False
    window: RestartWindow = attrs.field(init=False)
    children: dict[str, Child] = attrs.field(factory=dict)
    living: int = 0  # how many children have a task
    nursery: trio.Nursery | None = None
    due: deque[Child] = attrs.field(factory=deque)
    entering: Child | None = None  # where starts are in order: the one that the next waits for
    to_stop: list[Child] = attrs.field(factory=list)
    retry: Retry | None = None
    errors: list[BaseException] = attrs.field(factory=list)  # what this run will raise
    stop_by: float = math.inf
    ready: list[Child] = attrs.field(factory=list)
    ended: list[Child] = attrs.field(factory=list)
    deferred: list[Child] = attrs.field(factory=list)  # ended while the first start was going on
    requests: deque[Request] = attrs.field(factory=deque)
    no_grace: dict[Child, int] = attrs.field(factory=dict)  # shutdown=0: turns left until it is overrun
    alarms: list[tuple[float, int, Child]] = attrs.field(factory=list)
    alarm_count: int = 0
    signal: trio.Event = attrs.field(factory=trio.Event)
    numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        self.window = RestartWindow(self.options.max_restarts, self.options.period)

    # what the children's tasks and the callers do: take a note, wake the supervisor's task

    def note_ready(self, child: Child) -> None:
        """Note that a child has called `started()`."""
        self.ready.append(child)
        self.signal.set()

    def note_ended(self, child: Child) -> None:
        """Note that a child's task is about to end; `child.ending` says how."""
        child.move(Trigger.END)
        self.living -= 1
        self.ended.append(child)
        self.signal.set()

    def post(self, serve: Callable[..., bool], reply: Reply) -> None:
        """Queue a request (see `requests`). Raises SupervisionError if it would never be served."""
        if self.nursery is None or self.over or self.phase is Phase.STOPPING:
            raise SupervisionError(f"supervisor {self.reporter.path!r} is not running: it is stopping or has stopped")
        self.requests.append((serve, reply))
        self.signal.set()

    # the children listed

    def add(self, spec: ChildSpec) -> Child:
        """List a child, last in start order."""
        child = Child(spec, self.reporter, self.owner, next(self.numbers))
        child.drop_when_down = spec.restart is Restart.TEMPORARY
        self.children[spec.id] = child
        return child

    def drop(self, child: Child) -> None:
        """Remove a child from the list."""
        if self.children.get(child.id) is child:
            del self.children[child.id]

    def full(self) -> bool:
        """Whether `max_children` are alive or due."""
        limit = self.options.max_children
        if limit is None or len(self.children) < limit:
            return False
        return sum(child.alive or child.should_run for child in self.children.values()) >= limit

    def busy(self) -> bool:
        """Whether children are being started or stopped in an order that a start by hand must not interrupt."""
        if self.phase is Phase.STARTING:
            return True
        return self.options.grouped and bool(self.to_stop or self.due or self.entering is not None)

    # alarms: one a child, for its start deadline, heartbeat, shutdown limit or retry, whichever its state has

    def arm(self, child: Child, when: float) -> None:
        """Set the child's alarm, replacing the one it had."""
        if child.alarm is None:
            self.alarm_count += 1
        number = next(self.numbers)
        child.alarm = (when, number)
        if len(self.alarms) > 64 and len(self.alarms) > 2 * self.alarm_count:  # mostly cancelled ones: keep it linear
            self.alarms = [entry for entry in self.alarms if entry[2].alarm == entry[:2]]
            heapq.heapify(self.alarms)
        heapq.heappush(self.alarms, (when, number, child))

    def arm_deadline(self, child: Child, when: float) -> None:
        """Set the child's alarm just after `when`, because what happens exactly at a deadline is in time."""
        self.arm(child, math.nextafter(when, math.inf))

    def disarm(self, child: Child) -> None:
        """Remove the child's alarm."""
        if child.alarm is not None:
            child.alarm = None
            self.alarm_count -= 1

    def next_alarm(self) -> float:
        """The time of the next alarm; infinity if there is none."""
        alarms = self.alarms
        while alarms and alarms[0][2].alarm != alarms[0][:2]:
            heapq.heappop(alarms)
        return alarms[0][0] if alarms else math.inf

    def pop_alarm(self, now: float) -> Child | None:
        """The next child whose alarm is due at `now`, and remove its alarm."""
        if self.next_alarm() > now:
            return None
        child = heapq.heappop(self.alarms)[2]
        self.disarm(child)
        return child

    # what is shown

    def report(
        self,
        kind: ReportKind,
        child: Child,
        reason: str | None = None,
        cause: BaseException | None = None,
        *,
        delay: float | None = None,
    ) -> None:
        """Report an event of a child."""
        if self.reporter.has_readers(kind):
            now = trio.current_time()
            self.reporter.publish(
                Report(
                    kind,
                    self.reporter.path,
                    child.id,
                    child.incarnation,
                    reason,
                    cause,
                    at=now,
                    delay=delay,
                    budget_used=self.window.used(now),
                    correlation_id=child.correlation_id,
                )
            )

    def info(self, child: Child) -> ChildInfo:
        """A snapshot of one child."""
        inner = child.spec.supervisor
        return ChildInfo(
            child.id,
            child.shown_state,
            child.incarnation,
            child.restarts,
            child.ready_at if child.alive else None,
            child.last_exit,
            () if inner is None else tuple(inner.children()),
            self.window.used_by(child.id, trio.current_time()) if child.restarts and trio.lowlevel.in_trio_run() else 0,
        )
