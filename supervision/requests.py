"""What callers ask of a running supervisor, one class a request.

A request is served by the supervisor's task, in the order in which it came. `serve` raises what it refuses, answers
what is done at once, leaves a note with the child where the answer has to wait for it, and returns False where the
request has to wait for its turn.
"""

from __future__ import annotations

import abc

import trio

from supervision import restarting, starting, stopping
from supervision.child import Child, ChildInfo
from supervision.errors import (
    AlreadyPresent,
    AlreadyRunning,
    ChildRestarting,
    ChildRunning,
    SupervisionError,
    TooManyChildren,
    UnknownChild,
)
from supervision.spec import ChildSpec, Restart
from supervision.state import Run


class Request(abc.ABC):
    """A question and, later, its answer."""

    __slots__ = ("child", "correlation_id", "done", "error", "result", "withdrawn")

    def __init__(self, correlation_id: str | None = None) -> None:
        self.correlation_id = correlation_id
        self.done = trio.Event()
        self.error: SupervisionError | None = None
        self.result: ChildInfo | None = None
        self.child: Child | None = None
        self.withdrawn = False

    @abc.abstractmethod
    def serve(self, run: Run) -> bool:
        """Do it or begin it; False where its turn has not come. Raises SupervisionError to refuse it."""

    def answer(self, result: ChildInfo | None) -> None:
        """It is done."""
        self.result = result
        self.done.set()

    def refuse(self, error: SupervisionError) -> None:
        """It cannot be done, or came to nothing."""
        self.error = error
        self.done.set()

    def outcome(self) -> ChildInfo | None:
        """The answer; raises the refusal."""
        if self.error is not None:
            raise self.error
        return self.result


def _known(run: Run, child_id: str) -> Child:
    child = run.children.get(child_id)
    if child is None:
        raise UnknownChild(child_id, f"supervisor {run.reporter.path!r} has no child {child_id!r}")
    return child


def _down(run: Run, child_id: str) -> Child:
    child = _known(run, child_id)
    if child.alive:
        raise ChildRunning(child_id, f"child {child_id!r} is {child.state}")
    if child.wanted:
        raise ChildRestarting(child_id, f"child {child_id!r} is about to be started by its supervisor")
    return child


class StartChild(Request):
    """Add a child and start it; answered when it is ready."""

    __slots__ = ("spec",)

    def __init__(self, spec: ChildSpec, correlation_id: str | None) -> None:
        super().__init__(correlation_id)
        self.spec = spec

    def serve(self, run: Run) -> bool:
        known = run.children.get(self.spec.id)
        if known is not None:
            kind = AlreadyRunning if known.alive else AlreadyPresent
            raise kind(self.spec.id, f"child {self.spec.id!r} is {known.state}")
        if run.crowded():
            raise TooManyChildren(self.spec.id, f"max_children is {run.options.max_children}")
        if run.busy():
            return False
        child = self.child = run.add(self.spec)
        child.starter = self
        child.correlation_id = self.correlation_id
        starting.enter_by_hand(run, child)
        return True


class RestartChild(Request):
    """Start a child that is down; answered when it is ready."""

    __slots__ = ("child_id",)

    def __init__(self, child_id: str, correlation_id: str | None) -> None:
        super().__init__(correlation_id)
        self.child_id = child_id

    def serve(self, run: Run) -> bool:
        child = _down(run, self.child_id)
        if run.busy():
            return False
        self.child = child
        child.starter = self
        child.correlation_id = self.correlation_id
        starting.enter_by_hand(run, child)
        return True


class StopChild(Request):
    """Stop a child, or cancel its pending restart; answered when it is gone."""

    __slots__ = ("child_id",)

    def __init__(self, child_id: str, correlation_id: str | None) -> None:
        super().__init__(correlation_id)
        self.child_id = child_id

    def serve(self, run: Run) -> bool:
        child = _known(run, self.child_id)
        child.correlation_id = self.correlation_id
        stop(run, child, self)
        return True


class DeleteChild(Request):
    """Take a child that is down off the list."""

    __slots__ = ("child_id",)

    def __init__(self, child_id: str) -> None:
        super().__init__()
        self.child_id = child_id

    def serve(self, run: Run) -> bool:
        run.drop(_down(run, self.child_id))
        self.answer(None)
        return True


class TakeBack(Request):
    """The caller of a `StartChild` or `RestartChild` has left: undo it; answered when the child is gone."""

    __slots__ = ("original",)

    def __init__(self, original: StartChild | RestartChild) -> None:
        super().__init__(original.correlation_id)
        self.original = original

    def serve(self, run: Run) -> bool:
        child = self.original.child
        if child is None or run.children.get(child.id) is not child:
            self.original.withdrawn = True
            self.answer(None)
        else:
            child.discard = isinstance(self.original, StartChild)
            stop(run, child, self)
            if child.discard and not child.alive:
                run.drop(child)
        return True


def stop(run: Run, child: Child, request: Request) -> None:
    """Stop `child` by hand; `request` is answered when it is gone."""
    if child.alive:
        child.wanted = False
        child.waiters.append(request)
        if not child.doomed:  # else its turn comes, in the order
            stopping.ask(run, child)
        return
    if child.wanted:
        restarting.cancel(run, child)
        run.tell("stopped", child, "restart cancelled")
        if child.spec.restart is Restart.TEMPORARY:
            run.drop(child)
    request.answer(None)


def serve_all(run: Run) -> None:
    """Serve what has come in; what has to wait keeps its place."""
    waiting, postponed = run.requests, []
    while waiting:
        request = waiting.popleft()
        try:
            if not request.serve(run):
                postponed.append(request)
        except SupervisionError as refusal:
            request.refuse(refusal)
    waiting.extend(request for request in postponed if not request.withdrawn)
