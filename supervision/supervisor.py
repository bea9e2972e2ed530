"""`Supervisor`, the class that users create, and `open_supervisor`, which runs one for the length of a block."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import ParamSpec

import attrs
import outcome
import trio

from logconf.context import current_correlation_id
from supervision import checks, loop, requests
from supervision.child import Child, current_child
from supervision.errors import SupervisionError, combined
from supervision.replies import Reply
from supervision.reports import Report, Reporter
from supervision.snapshots import ChildInfo, Count
from supervision.spec import ChildSpec, Supervises, SupervisorOptions
from supervision.state import SupervisorState


@checks.checked_arguments
@attrs.define(eq=False, repr=False, on_setattr=attrs.setters.frozen)
class Supervisor(SupervisorOptions, Supervises):
    """Starts children in order, restarts those that fail, and stops them in reverse order.

        children -- ChildSpecs, in start order.
        name -- the first part of the path in reports; for a child supervisor this part is its child id.
        strategy -- "one_for_one" | "one_for_all" | "rest_for_one".
        max_restarts, period -- this many restarts in any `period` seconds are allowed; at the next failure it gives up.
        backoff -- delays before restarts; none by default.
        auto_shutdown -- "never" | "any_significant" | "all_significant".
        max_children -- `start_child` is refused while that many children run or wait to restart.
        overrun -- if a child outlives its shutdown limit: "wait" for it, or "escalate": fail with ShutdownOverrun.
        stop -- "in_order", or "together" (one_for_one only): all are asked at once, each with its own limit.
        shutdown_deadline -- seconds for the whole stop; children that remain after it are overrun.

    Wrong specifications and options raise SpecError before anything runs. A supervisor may be run again; each run
    begins anew, without the children that were added in the run before.
    """

    _specs: Iterable[ChildSpec] = attrs.field(
        default=(), alias="children", kw_only=False, on_setattr=attrs.setters.NO_OP
    )
    _reporter: Reporter = attrs.field(init=False, on_setattr=attrs.setters.NO_OP)
    _state: SupervisorState = attrs.field(init=False, on_setattr=attrs.setters.NO_OP)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._specs = self.check_children(self._specs)
        self._reporter = Reporter(self.name)
        self._state = self._fresh(None)

    @property
    def path(self) -> str:
        """Its place in the tree, outermost name first: "top/inner". It is complete only while it runs."""
        return self._reporter.path

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the children and keep them running until this is cancelled or shuts itself down; then stop them in
        reverse order.

        It is ready (`task_status.started()`) when every child is ready. Raises ChildStartError if a child fails to
        start the first time, RestartIntensityReached if one fails beyond the limits, ShutdownOverrun under
        `overrun="escalate"`, and KeyboardInterrupt or SystemExit if a child raised it: without a group if it is the
        only failure, else in a group. Raises SupervisionError if it runs already.
        """
        await self._run(lambda: task_status.started(), lambda: None)

    async def _run(self, ready: Callable[[], None], on_stopping: Callable[[], None]) -> None:
        if self._state.nursery is not None and not self._state.over:
            raise SupervisionError(f"supervisor {self.path!r} is already running")
        owner = current_child.get()
        self._place(owner)
        self._state = state = self._fresh(owner)
        state.on_stopping = on_stopping
        await loop.supervise(state, ready)

    def _fresh(self, owner: Child | None) -> SupervisorState:
        state = SupervisorState(self, self._reporter, owner)
        for spec in self._specs:
            state.add(spec)
        return state

    def _place(self, owner: Child | None) -> None:
        """Find the supervisor whose child this is, because reports go there too."""
        reporter = self._reporter
        reporter.parent = None if owner is None else owner.reporter
        reporter.path = self.name
        if owner is not None:
            reporter.path = f"{owner.reporter.path}/{owner.id}"
            if owner.spec.supervisor is not self:
                reporter.path += f"/{self.name}"

    async def start_child(self, spec: ChildSpec) -> ChildInfo:
        """Add a child as the last in start order, start it, and return when it is ready.

        Raises ChildStartError (its specification is then discarded), AlreadyRunning, AlreadyPresent, TooManyChildren or
        SpecError, and SupervisionError if the supervisor is stopping or down. If the caller is cancelled, the child is
        removed again.
        """
        serve = partial(requests.start_child, spec=self.check_child(spec))
        return await self._start(serve, spec.id, added=True)

    async def restart_child(self, id: str) -> ChildInfo:  # noqa: A002 - the name in a ChildSpec
        """Start a child that is down and return when it is ready. Its count of consecutive failures starts anew.

        Raises ChildStartError (the child then stays down), ChildRunning, ChildRestarting, UnknownChild,
        SupervisionError.
        """
        return await self._start(partial(requests.restart_child, child_id=id), id, added=False)

    async def stop_child(self, id: str) -> None:  # noqa: A002 - the name in a ChildSpec
        """Stop a child and return when it has ended. Does nothing to a child that is down, but cancels a pending
        restart.

        The specification stays, for `restart_child`, unless the child is temporary. Raises UnknownChild,
        SupervisionError.
        """
        await self._ask(partial(requests.stop_child, child_id=id), Reply(current_correlation_id()))

    async def delete_child(self, id: str) -> None:  # noqa: A002 - the name in a ChildSpec
        """Remove a child that is down from the list.

        Raises ChildRunning, ChildRestarting, UnknownChild, SupervisionError.
        """
        await self._ask(partial(requests.delete_child, child_id=id), Reply(None))

    def children(self) -> list[ChildInfo]:
        """The children as they are at this moment, in start order, those of child supervisors inside them."""
        state = self._state
        return [state.info(child) for child in state.children.values()]

    def count(self) -> Count:
        """How many children there are, of each kind, at this moment."""
        children = self._state.children.values()
        supervisors = sum(child.spec.supervisor is not None for child in children)
        active = sum(child.alive for child in children)
        return Count(len(children), active, supervisors, len(children) - supervisors)

    def reports(self) -> contextlib.AbstractAsyncContextManager[trio.MemoryReceiveChannel[Report]]:
        """`async with supervisor.reports() as reports` gives every Report from then on, also those of inner
        supervisors.

        May be opened before `run`; the channel ends with the run. A reader that is more than 1,000 reports behind loses
        the oldest ones, and gets one `lost` report with their number in their place.
        """
        return self._reporter.subscribe()

    @trio.lowlevel.enable_ki_protection
    async def _ask(self, serve: Callable[..., bool], reply: Reply) -> ChildInfo | None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._refuse_the_unready()
        self._state.post(serve, reply)
        return await reply.wait()

    @trio.lowlevel.enable_ki_protection
    async def _start(self, serve: Callable[..., bool], child_id: str, *, added: bool) -> ChildInfo:
        reply = Reply(current_correlation_id())
        try:
            result = await self._ask(serve, reply)
        except (trio.Cancelled, KeyboardInterrupt):
            with contextlib.suppress(SupervisionError):
                child = self._state.children.get(child_id)
                with trio.move_on_after(math.inf if child is None else child.spec.shutdown_limit, shield=True):
                    undo = partial(requests.undo_start, child_id=child_id, original=reply, added=added)
                    undone = Reply(reply.correlation_id)
                    self._state.post(undo, undone)
                    await undone.wait()
            raise
        assert result is not None
        return result

    def _refuse_the_unready(self) -> None:
        """Refuse a request by a child that is not ready: it would wait for its supervisor, which waits for the
        child.
        """
        child = current_child.get()
        while child is not None:
            if child.reporter is self._reporter and child.alive and child.ready_at is None:
                raise SupervisionError(f"child {child.id!r} manages supervisor {self.path!r} before it is ready itself")
            child = child.owner


# A supervisor for the length of a block.

Options = ParamSpec("Options")


class _Session:
    """A nursery with one task, which keeps the supervisor running while the block is open.

    The task is shielded as soon as the supervisor is ready, so that an outer cancellation reaches the block alone; when
    the block has unwound, the task's own scope is cancelled. (This is a class, not a generator: KeyboardInterrupt could
    be raised inside contextlib, where nothing protects it.)
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._hold = trio.CancelScope()
        self._block = trio.CancelScope()
        self._settled = trio.Event()
        self._ready = False
        self._error: BaseException | None = None
        self._nursery = trio.open_nursery(strict_exception_groups=True)  # whatever the host's run says

    async def _held(self) -> None:
        with self._hold:
            result = await outcome.acapture(self._supervisor._run, self._note_ready, self._block.cancel)
            if isinstance(result, outcome.Error) and not isinstance(result.error, trio.Cancelled):
                self._error = result.error  # kept from the scope, which would rebuild a group
            else:
                result.unwrap()

    def _note_ready(self) -> None:
        self._ready = True
        self._hold.shield = True
        self._settled.set()

    @trio.lowlevel.enable_ki_protection
    async def _keep(self) -> None:
        try:
            await self._held()
        finally:
            self._settled.set()

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> Supervisor:
        nursery = await self._nursery.__aenter__()
        nursery.start_soon(self._keep)
        settled = await outcome.acapture(self._settled.wait)
        if self._ready and isinstance(settled, outcome.Value):
            self._block.__enter__()
            return self._supervisor
        error = await self._leave(settled.error if isinstance(settled, outcome.Error) else None)
        assert error is not None, "a supervisor that was never ready has failed"
        raise error

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        closed = outcome.capture(self._block.__exit__, kind, error, traceback)
        if isinstance(closed, outcome.Error):
            left: BaseException | None = closed.error  # what the scope left of a group
        else:
            left = None if closed.value else error
        result = await self._leave(left)  # noqa: ASYNC102 - the supervisor shields its stop and limits it
        if result is None:
            return True
        if result is error:
            return False
        raise result

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """Let the supervisor stop its children, wait for it, and return what is to be raised."""
        self._hold.shield = False
        self._hold.cancel()
        errors = [] if error is None else [error]
        try:
            await self._nursery.__aexit__(None, None, None)
        except BaseExceptionGroup as group:  # KeyboardInterrupt while we waited
            errors += group.exceptions
        if self._error is not None:
            errors.append(self._error)
        return combined(errors, "the block and its supervisor")


def _opener(make: Callable[Options, Supervisor]) -> Callable[Options, AbstractAsyncContextManager[Supervisor]]:
    @functools.wraps(make, assigned=(), updated=())
    def open_supervisor(*args: Options.args, **options: Options.kwargs) -> AbstractAsyncContextManager[Supervisor]:
        """`async with open_supervisor([...], strategy=...) as supervisor`: the block begins when every child is ready.

        Takes the arguments of `Supervisor`. When the block is left, for whatever reason, it first unwinds while its
        children still run; then they are stopped in reverse order. If the supervisor gives up, the block is cancelled
        and the supervisor's error (see `Supervisor.run`) is raised: without a group if it is the only failure, else in
        one group with the block's own exception. If the supervisor shuts itself down, the block is cancelled and
        nothing is raised.
        """
        return _Session(make(*args, **options))

    return open_supervisor


open_supervisor = _opener(Supervisor)
