"""Calls that must be refused, whatever the moment: about what does not exist, or with values that may not be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime
from actors.simulation.rules import Rule
from actors.simulation.world import World

_NOBODY = "01hm6aq000nobodyhasthisid0"

CALLS: Mapping[str, Callable[[RunningRuntime], Awaitable[Any]]] = {
    "approve": lambda runtime: runtime.approve(_NOBODY, by="bo"),
    "reject": lambda runtime: runtime.reject(_NOBODY, by="bo", reason="no"),
    "cancel": lambda runtime: runtime.cancel(_NOBODY, by="bo"),
    "retry": lambda runtime: runtime.jobs.retry(_NOBODY, by="bo"),
    "settle": lambda runtime: runtime.jobs.settle(_NOBODY, "failed", by="bo"),
    "prioritise": lambda runtime: runtime.jobs.prioritise(_NOBODY, 5, by="bo"),
    "get": lambda runtime: runtime.jobs.get(_NOBODY),
    "limit": lambda runtime: runtime.queue.set_limit("per_nobody", 3, by="bo"),
    "least limit": lambda runtime: runtime.queue.set_limit("total", -1, by="bo"),
    "pause": lambda runtime: runtime.queue.pause("nowhere", "to see", by="bo"),
    "resume": lambda runtime: runtime.queue.resume("nowhere", by="bo"),
    "rule": lambda runtime: runtime.rules.add(ApprovalRule("No", "looks_odd", 1.0), by="bo"),
    "enable": lambda runtime: runtime.notifications.enable("nobody", by="bo"),
}


async def make_wrong_call(world: World, runtime: RunningRuntime, what: str) -> None:
    """Make the call of this name: it is refused, in words."""
    try:
        await CALLS[what](runtime)
        refused = False
    except Refused as refusal:
        refused = bool(str(refusal))
    world.note(world.require, refused, Rule.REFUSED, f"{what} of what does not exist is accepted")
