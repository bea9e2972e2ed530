"""`Supervisor`: what users hold."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable

import attrs
import trio

from logconf.context import current_correlation_id
from supervision import checks, loop
from supervision.backoff import Backoff
from supervision.child import Child, ChildInfo, current_child
from supervision.errors import SupervisionError
from supervision.intensity import Window
from supervision.options import Options
from supervision.reports import Report, Reporter
from supervision.requests import DeleteChild, Request, RestartChild, StartChild, StopChild, TakeBack
from supervision.spec import AutoShutdown, ChildSpec, Overrun, Stop, Strategy, Supervises
from supervision.state import Run


@attrs.frozen
class Count:
    """How many: specs listed, of them active (their task lives), of all listed supervisors and workers."""

    specs: int
    active: int
    supervisors: int
    workers: int


@checks.checked_arguments
class Supervisor(Supervises):
    """Starts children in order, restarts those that end too early, stops them in reverse.

    children -- ChildSpecs, in start order.
    name -- the first part of the path in reports; a child supervisor's part is its child id.
    strategy -- "one_for_one" | "one_for_all" | "rest_for_one".
    max_restarts, period -- the budget: this many restarts in any `period` seconds; the next failure gives up.
    backoff -- delays before restarts; none unless asked for.
    auto_shutdown -- "never" | "any_significant" | "all_significant".
    max_children -- `start_child` is refused while that many are alive or due.
    overrun -- "wait" for a child that outlives its shutdown limit, or "escalate": fail with ShutdownOverrun.
    stop -- "in_order", or "together" (one_for_one only): all asked at once, each with its own limit.
    shutdown_deadline -- seconds for the whole stop; past it what remains is overrun.

    Wrong specifications and options raise SpecError, before anything runs. A supervisor may be run again, afresh; what
    was added at run time is gone then.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        name: str = "supervisor",
        strategy: Strategy | str = Strategy.ONE_FOR_ONE,
        max_restarts: int = 3,
        period: float = 5.0,
        backoff: Backoff = Backoff.none(),  # noqa: B008 - frozen
        auto_shutdown: AutoShutdown | str = AutoShutdown.NEVER,
        max_children: int | None = None,
        overrun: Overrun | str = Overrun.WAIT,
        stop: Stop | str = Stop.IN_ORDER,
        shutdown_deadline: float = math.inf,
    ) -> None:
        self._options = Options(
            name=name,
            strategy=checks.choice("strategy", Strategy, strategy),
            max_restarts=max_restarts,
            period=period,
            backoff=backoff,
            auto_shutdown=checks.choice("auto_shutdown", AutoShutdown, auto_shutdown),
            max_children=max_children,
            overrun=checks.choice("overrun", Overrun, overrun),
            stop=checks.choice("stop", Stop, stop),
            shutdown_deadline=shutdown_deadline,
        )
        self._specs = self._options.check_children(children)
        self._reporter = Reporter(name)
        self._current = self._fresh(None)

    @property
    def name(self) -> str:
        """The name given."""
        return self._options.name

    @property
    def path(self) -> str:
        """Where it stands, outermost first: "top/inner"; complete while it runs."""
        return self._reporter.path

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the children and keep them until this is cancelled or shuts itself down; then stop them in reverse.

        Ready (`task_status.started()`) when every child is. Raises ChildStartError when a child fails to start at
        first, RestartIntensityReached when one fails beyond the limits, ShutdownOverrun under `overrun="escalate"`,
        and KeyboardInterrupt or SystemExit where a child raised it: bare when it is all that went wrong, in a group
        otherwise. SupervisionError where it runs already.
        """
        await self._run(lambda: task_status.started(), None)

    async def _run(self, ready: Callable[[], None], closing: Callable[[], None] | None) -> None:
        if self._current.nursery is not None and not self._current.over:
            raise SupervisionError(f"supervisor {self.path!r} is already running")
        owner = current_child.get()
        self._place(owner)
        self._current = run = self._fresh(owner)
        run.closing = closing
        await loop.conduct(run, ready)

    def _fresh(self, owner: Child | None) -> Run:
        options = self._options
        run = Run(options, self._reporter, owner, Window(options.max_restarts, options.period))
        for spec in self._specs:
            run.add(spec)
        return run

    def _place(self, owner: Child | None) -> None:
        """Find out whose child this is: its reports go there too."""
        reporter = self._reporter
        reporter.parent = None
        reporter.path = self.name
        if owner is not None and isinstance(owner.keeper, Run):
            reporter.parent = owner.keeper.reporter
            reporter.path = f"{reporter.parent.path}/{owner.id}"
            if owner.spec.supervisor is not self:
                reporter.path += f"/{self.name}"

    async def start_child(self, spec: ChildSpec) -> ChildInfo:
        """Add a child, last in start order, and start it; returns when it is ready.

        Raises ChildStartError (its spec is discarded then), AlreadyRunning, AlreadyPresent, TooManyChildren; SpecError;
        SupervisionError when the supervisor is stopping or down. A caller that is cancelled takes the child back.
        """
        return await self._start(StartChild(self._options.check_child(spec), current_correlation_id()))

    async def restart_child(self, id: str) -> ChildInfo:  # noqa: A002 - the name in a ChildSpec
        """Start a child that is down; returns when it is ready. Its row of failures begins anew.

        Raises ChildStartError (it stays down then), ChildRunning, ChildRestarting, UnknownChild, SupervisionError.
        """
        return await self._start(RestartChild(id, current_correlation_id()))

    async def stop_child(self, id: str) -> None:  # noqa: A002 - the name in a ChildSpec
        """Stop a child and return when it is gone; harmless if it is down. Cancels a pending restart.

        The spec stays, for `restart_child`, unless the child is temporary. Raises UnknownChild, SupervisionError.
        """
        await self._ask(StopChild(id, current_correlation_id()))

    async def delete_child(self, id: str) -> None:  # noqa: A002 - the name in a ChildSpec
        """Take a child that is down off the list.

        Raises ChildRunning, ChildRestarting, UnknownChild, SupervisionError.
        """
        await self._ask(DeleteChild(id))

    def children(self) -> list[ChildInfo]:
        """The children as they are at this moment, in start order, those of child supervisors inside them."""
        run = self._current
        return [run.info(child) for child in run.children.values()]

    def count(self) -> Count:
        """How many children there are, of each kind, at this moment."""
        children = self._current.children.values()
        supervisors = sum(child.spec.supervisor is not None for child in children)
        active = sum(child.alive for child in children)
        return Count(len(children), active, supervisors, len(children) - supervisors)

    def reports(self) -> contextlib.AbstractAsyncContextManager[trio.MemoryReceiveChannel[Report]]:
        """`async with supervisor.reports() as reports`: every Report from then on, inner supervisors' too.

        May be opened before `run`; the channel ends with the run. A reader more than 1,000 reports behind loses the
        oldest and finds one `lost` report with their count in their place.
        """
        return self._reporter.subscribe()

    @trio.lowlevel.enable_ki_protection
    async def _ask(self, request: Request) -> ChildInfo | None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._refuse_the_unready()
        self._current.post(request)
        await request.done.wait()
        return request.outcome()

    @trio.lowlevel.enable_ki_protection
    async def _start(self, request: StartChild | RestartChild) -> ChildInfo:
        try:
            result = await self._ask(request)
        except (trio.Cancelled, KeyboardInterrupt):
            with contextlib.suppress(SupervisionError):
                run = self._current
                limit = math.inf if request.child is None else request.child.spec.shutdown_limit
                with trio.move_on_after(limit, shield=True):
                    back = TakeBack(request)
                    run.post(back)
                    await back.done.wait()
            raise
        assert result is not None
        return result

    def _refuse_the_unready(self) -> None:
        """A child that waits for its own supervisor, which waits for it to be ready, would wait for ever."""
        child = current_child.get()
        while child is not None:
            if child.keeper is self._current and child.ready_at is None:
                raise SupervisionError(f"child {child.id!r} manages supervisor {self.path!r} before it is ready itself")
            child = child.owner
