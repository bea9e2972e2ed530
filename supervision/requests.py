"""The requests of callers to a running supervisor, one function for each.

The supervisor's task serves requests in the order in which they came. A function here raises what it refuses, and
answers at once what is done at once. If the answer must wait for the child, it leaves the reply with the child; if the
request itself must wait for its turn, it returns False.
"""

from __future__ import annotations

from supervision import errors, restarting, starting, stopping
from supervision.child import Child
from supervision.replies import Reply
from supervision.reports import ReportKind
from supervision.spec import ChildSpec
from supervision.state import SupervisorState


def start_child(state: SupervisorState, reply: Reply, *, spec: ChildSpec) -> bool:
    """Add a child and start it; the answer comes when it is ready."""
    known = state.children.get(spec.id)
    if known is not None:
        kind = errors.AlreadyRunning if known.alive else errors.AlreadyPresent
        raise kind(spec.id, f"child {spec.id!r} is {known.shown_state}")
    if state.full():
        raise errors.TooManyChildren(spec.id, f"max_children is {state.options.max_children}")
    if state.busy():
        return False
    child = state.add(spec)
    child.drop_when_down = True  # until it is ready
    starting.enter_by_hand(state, child, reply)
    return True


def restart_child(state: SupervisorState, reply: Reply, *, child_id: str) -> bool:
    """Start a child that is down; the answer comes when it is ready."""
    child = _down(state, child_id)
    if state.busy():
        return False
    starting.enter_by_hand(state, child, reply)
    return True


def stop_child(state: SupervisorState, reply: Reply, *, child_id: str) -> bool:
    """Stop a child, or cancel its pending restart; the answer comes when it has ended."""
    child = _known(state, child_id)
    child.correlation_id = reply.correlation_id
    _stop(state, child, reply)
    return True


def delete_child(state: SupervisorState, reply: Reply, *, child_id: str) -> bool:
    """Remove a child that is down from the list."""
    state.drop(_down(state, child_id))
    reply.answer()
    return True


def undo_start(state: SupervisorState, reply: Reply, *, child_id: str, original: Reply, added: bool) -> bool:
    """Undo a start whose caller was cancelled, of `start_child` (`added`) or `restart_child`; answered when the
    child has ended.
    """
    child = state.children.get(child_id)
    if child is not None and child.requested_by is original:
        child.drop_when_down |= added
        _stop(state, child, reply)
    else:
        original.refuse(errors.SupervisionError("withdrawn"))  # it waits for its turn: `serve_all` leaves it out
        reply.answer()
    return True


def _known(state: SupervisorState, child_id: str) -> Child:
    child = state.children.get(child_id)
    if child is None:
        raise errors.UnknownChild(child_id, f"supervisor {state.reporter.path!r} has no child {child_id!r}")
    return child


def _down(state: SupervisorState, child_id: str) -> Child:
    child = _known(state, child_id)
    if child.alive:
        raise errors.ChildRunning(child_id, f"child {child_id!r} is {child.state}")
    if child.should_run:
        raise errors.ChildRestarting(child_id, f"child {child_id!r} is about to be started by its supervisor")
    return child


def _stop(state: SupervisorState, child: Child, reply: Reply) -> None:
    if child.alive:
        child.retire()
        child.stop_replies.append(reply)
        if not child.to_stop:  # else its turn comes, in the order
            stopping.ask(state, child)
        return
    if child.should_run:
        restarting.cancel_restart(state, child)
        state.report(ReportKind.STOPPED, child, "restart cancelled")
    if child.drop_when_down:
        state.drop(child)
    reply.answer()


def serve_all(state: SupervisorState) -> None:
    """Serve the requests that have come; those that must wait keep their place."""
    postponed = []
    while state.requests:
        serve, reply = state.requests.popleft()
        try:
            if not reply.done.is_set() and not serve(state, reply):
                postponed.append((serve, reply))
        except errors.SupervisionError as refusal:
            reply.refuse(refusal)
    state.requests.extend(postponed)
