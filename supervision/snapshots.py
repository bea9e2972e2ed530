"""Snapshots of a child and of a supervisor: values that never change afterwards."""

from __future__ import annotations

import attrs

from supervision.lifecycle import ChildState


@attrs.frozen
class Exit:
    """How a child ended: the reason in one word, the exception if there was one, and the time
    (`trio.current_time()`).
    """

    reason: str
    cause: BaseException | None
    at: float


@attrs.frozen
class ChildInfo:
    """A child as it is at this moment.

    state -- "starting" | "running" | "restarting" (due, but down) | "stopping" | "overrun" | "stopped" | "finished" |
        "parked".
    incarnation -- entries so far, failed starts included; restarts -- the automatic ones among them.
    started_at -- when the present incarnation became ready (`trio.current_time()`), None otherwise.
    last_exit -- how the last incarnation ended.
    children -- those of a child supervisor, empty for a worker.
    recent_restarts -- the restarts charged to it in its supervisor's present window.
    """

    id: str
    state: ChildState
    incarnation: int = 0
    restarts: int = 0
    started_at: float | None = None
    last_exit: Exit | None = None
    children: tuple[ChildInfo, ...] = ()
    recent_restarts: int = 0


@attrs.frozen
class Count:
    """Numbers of children: `specs` are listed, `active` ones have a living task; `supervisors` and `workers` are
    listed ones.
    """

    specs: int
    active: int
    supervisors: int
    workers: int
