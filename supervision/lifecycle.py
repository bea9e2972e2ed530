"""A child's states, and the table of transitions between them.

A child that is *down* has no task: pending, restarting, stopped, finished, parked. A *living* one has a task: starting,
running, stopping, overrun. Between the two is ended: the task is over, and the supervisor has not yet decided what
follows. A transition that is not in the table cannot happen: so incarnation N+1 never starts while N lives, and a child
that has ended is never stopped.

The supervisor's task makes every transition but two: the child's own task makes READY and END, when they happen.
"""

from __future__ import annotations

import enum


class ChildState(enum.StrEnum):
    """The state of a child. `ChildInfo.state` shows PENDING as "stopped", ENDED as "restarting" or "stopped"."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    OVERRUN = "overrun"
    ENDED = "ended"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FINISHED = "finished"
    PARKED = "parked"


class Trigger(enum.StrEnum):
    """What can happen to a child."""

    ENTER = "enter"
    READY = "ready"
    STOP = "stop"
    OUTLIVE = "outlive"
    END = "end"
    RESTART = "restart"
    RETIRE = "retire"
    FINISH = "finish"
    PARK = "park"


S = ChildState
LIVING = frozenset({S.STARTING, S.RUNNING, S.STOPPING, S.OVERRUN})

TRANSITIONS: dict[Trigger, tuple[tuple[ChildState, ...], ChildState]] = {
    Trigger.ENTER: ((S.PENDING, S.RESTARTING, S.STOPPED, S.FINISHED, S.PARKED), S.STARTING),
    Trigger.READY: ((S.STARTING,), S.RUNNING),
    Trigger.STOP: ((S.STARTING, S.RUNNING), S.STOPPING),
    Trigger.OUTLIVE: ((S.STOPPING,), S.OVERRUN),
    Trigger.END: ((S.STARTING, S.RUNNING, S.STOPPING, S.OVERRUN), S.ENDED),
    Trigger.RESTART: ((S.ENDED,), S.RESTARTING),
    Trigger.RETIRE: ((S.PENDING, S.RESTARTING, S.ENDED), S.STOPPED),
    Trigger.FINISH: ((S.ENDED,), S.FINISHED),
    Trigger.PARK: ((S.ENDED,), S.PARKED),
}

_STEPS = {(state, trigger): after for trigger, (states, after) in TRANSITIONS.items() for state in states}


def step(state: ChildState, trigger: Trigger) -> ChildState | None:
    """The next state, or None if `trigger` cannot happen in `state`."""
    return _STEPS.get((state, trigger))
