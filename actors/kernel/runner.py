"""Running an actor: its incarnations under a supervisor, or a single one in any nursery."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from actors.kernel.actor import Actor, is_failure
from actors.kernel.ref import ActorRef
from logconf import get_logger
from supervision import ChildSpec
from supervision import heartbeat as beat
from supervision.child import Child, current_child

_logger = get_logger("actors.kernel")

# What becomes of an actor that is down: will its supervisor start it again?
#
# The kernel must know, because a call to a restarting actor waits and one to a parked actor fails at once. The
# supervisor decides after the actor's task has ended, perhaps much later (a stop during a back-off); the child's
# `on_retired` then says so.


def supervised_as() -> Child | None:
    """The supervised child in whose task this runs; None outside a supervisor."""
    return current_child.get()


def settle(ref: ActorRef, child: Child | None, reason: str, cause: BaseException | None, *, failed: bool) -> None:
    """``ref``'s incarnation has just ended: mark the actor as gone if no restart follows, else once that is known."""
    if child is None or not child.may_restart(failed=failed):
        ref.gone(reason, cause)
    else:
        child.on_retired.append(lambda state: ref.gone(state.value, cause))


def actor_spec(
    ref: ActorRef,
    factory: Callable[[], Actor],
    *,
    heartbeat: float | None = None,
    **options: Any,
) -> ChildSpec:
    """The child specification for ``ref``'s actor; its id is the reference's name.

    ``factory`` makes one instance for each incarnation. ``heartbeat``, in seconds: heartbeats are sent between messages
    and while idle; a handler that takes longer sends its own. Other options are those of ``ChildSpec``.
    """
    start = partial(run_actor, ref, factory, supervised=True, heartbeat_within=heartbeat)
    return ChildSpec(ref.name, start, heartbeat=heartbeat, **options)


@trio.lowlevel.enable_ki_protection  # or an interrupt in its last lines would leave a reference that seems to run
async def run_actor(
    ref: ActorRef,
    factory: Callable[[], Actor],
    *,
    supervised: bool = False,
    heartbeat_within: float | None = None,
    task_status: trio.TaskStatus[ActorRef] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run one incarnation, from ``on_start`` to ``on_stop``; reports ``ref`` as started once ``on_start`` has returned.

    In any nursery, ``await nursery.start(run_actor, ref, factory)``: then the actor is gone when this ends.
    ``supervised`` is for :func:`actor_spec`. Raises what the actor raised, and RuntimeError if ``ref`` runs already.
    """
    ref.entered()
    child = supervised_as() if supervised else None
    if child is not None:
        child.on_retired.clear()  # of the incarnation before: this one says how it ends
    actor: Actor | None = None
    reason, cause, failed = "finished", None, False
    try:
        actor = _made(factory)
        actor.enter(ref)
        if heartbeat_within is not None:
            actor.heartbeat, actor.heartbeat_every = beat, heartbeat_within / 2
        await (_live_with_nursery if actor.concurrent else _live)(actor, lambda: task_status.started(ref))
        if actor.stopping:
            reason = "stopped"
    except BaseException as error:  # monitors get how it ended, then it is raised again
        failed = True
        reason, cause = ("failed", error) if is_failure(error) else ("stopped", None)
        raise
    finally:
        ref.left(reason, cause)
        settle(ref, child, reason, cause, failed=failed)


@trio.lowlevel.disable_ki_protection
def _made(factory: Callable[[], Actor]) -> Actor:
    return factory()


@trio.lowlevel.disable_ki_protection
async def _live(actor: Actor, ready: Callable[[], None]) -> None:
    try:
        await actor.on_start()
        ready()
        await actor.after_ready()
        await actor.run_loop()
    finally:
        with trio.move_on_after(actor.stop_grace, shield=True) as scope:
            await actor.on_stop()
        if scope.cancelled_caught:
            _logger.warning(
                "on_stop of actor %s was cancelled after %g s", actor.ref.name, actor.stop_grace,
                extra={"actor": actor.ref.name},
            )  # fmt: skip


@trio.lowlevel.disable_ki_protection
async def _live_with_nursery(actor: Actor, ready: Callable[[], None]) -> None:
    async with trio.open_nursery() as nursery:
        actor.nursery = nursery
        actor.ref.side_nursery = nursery
        await _live(actor, ready)
        nursery.cancel_scope.cancel(reason="the actor ended")
