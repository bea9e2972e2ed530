"""Calls that must be refused, whatever the moment: about what does not exist, or with values that may not be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import Refused
from actors.runtime import RunningRuntime
from actors.simulation.rules import Rule
from actors.simulation.world import World
from actors.testing import request

_NOBODY = "01hm6aq000nobodyhasthisid0"
_TWIN = request(provider="exact", config_name="twin")

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
    "one of twins": lambda runtime: runtime.jobs.submit_many([_TWIN, _TWIN, attrs.evolve(_TWIN, after=("twin",))]),
}
_SAID = {"one of twins": "job 3: after: 2 jobs of this submission are called"}
"""What the refusal of a call says."""


async def make_wrong_call(world: World, runtime: RunningRuntime, what: str) -> None:
    """Make the call of this name: it is refused, in words."""
    said = ""
    try:
        await CALLS[what](runtime)
    except Refused as refusal:
        said = str(refusal)
    refused = bool(said) and "None" not in said and _SAID.get(what, "") in said
    world.note(world.require, refused, Rule.REFUSED, f"{what} of what does not exist is not refused but {said!r}")
