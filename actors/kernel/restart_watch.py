"""What becomes of an actor that is down: will its supervisor start it again?

The kernel must know, because a call to a restarting actor waits and one to a parked actor fails at once. The
supervisor decides after the actor's task has ended, perhaps much later (a stop during a back-off); the child's
`on_retired` then says so.
"""

from __future__ import annotations

from actors.kernel.ref import ActorRef
from supervision.child import Child, current_child


def supervised_as() -> Child | None:
    """The child as which this task runs, None outside a supervisor."""
    return current_child.get()


def settle(ref: ActorRef, child: Child | None, reason: str, cause: BaseException | None) -> None:
    """``ref``'s incarnation has just ended: say that it is gone if nothing follows, else once that is known."""
    if child is None or not child.may_restart(failed=cause is not None):
        ref.gone(reason, cause)
    else:
        child.on_retired.append(lambda state: ref.gone(state.value, cause))
