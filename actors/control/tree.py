"""The supervision tree as plain data, and restarts of its actors by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import trio

from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import suggestion
from actors.kernel import ActorRef, Registry
from supervision import ChildInfo, ChildStartError, SupervisionError, Supervisor

SERVERS = "servers"
"""The group of the servers below the root."""


class Tree:
    """The supervision tree of one runtime; empty until :attr:`supervisor` runs. ``groups``: the supervisors below
    the root.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.supervisor: Supervisor | None = None
        self.groups: Sequence[Supervisor] = ()

    def children(self) -> list[ChildInfo]:
        """The root's children, those of child supervisors inside them."""
        return [] if self.supervisor is None else self.supervisor.children()

    def describe(self) -> list[dict[str, Any]]:
        """Each child as plain data: id, state, incarnation, restarts, seconds of uptime, mailbox, last failure."""
        actors = {ref.name: ref for ref in self._registry}
        return [_node(child, actors) for child in self.children()]

    def unhealthy(self) -> list[str]:
        """A reason for each child that should run and does not run."""
        return list(_unhealthy(self.children()))

    async def stop_servers(self) -> None:
        """Stop the servers, if there are any: they accept nothing more, and requests in progress have their grace."""
        if self.supervisor is not None and any(child.id == SERVERS for child in self.children()):
            with suppress(SupervisionError):  # it is stopping everything already
                await self.supervisor.stop_child(SERVERS)

    async def restart(self, name: str) -> None:
        """Stop an actor or a server and start it again, also a parked one. This does not count in its restart limits.

        Raises :class:`supervision.errors.UnknownChild`, and ``ChildStartError`` if it does not start.
        """
        owners = (group for group in self.groups if any(child.id == name for child in group.children()))
        group = next(owners, self.groups[0])
        await group.stop_child(name)
        await group.restart_child(name)

    async def start(self, name: str) -> None:
        """Start a parked actor or server again, or a server that is finished because its port was taken.

        Raises :class:`Refused` if there is none of this name, or if the start fails.
        """
        below = {child.id: child for group in self.groups for child in group.children()}
        if name not in below:
            message = f"there is no actor or server {name!r:.80}{suggestion(name, sorted(below))}"
            raise Refused(message, RefusalKind.NOT_FOUND)
        if (state := below[name].state) not in ("parked", "finished"):
            raise Refused(f"{name} is {state}; only what is parked or finished can be started")
        try:
            await self.restart(name)
        except ChildStartError as error:
            raise Refused(f"{name} cannot be started: {error}") from error


def _node(child: ChildInfo, actors: Mapping[str, ActorRef]) -> dict[str, Any]:
    began = child.started_at if child.state == "running" else None
    node: dict[str, Any] = {
        "id": child.id,
        "state": child.state,
        "incarnation": child.incarnation,
        "restarts": child.restarts,
        "recent_restarts": child.recent_restarts,
        "uptime": None if began is None else round(trio.current_time() - began, 3),
        "last_exit": None if child.last_exit is None else str(child.last_exit),
    }
    actor = actors.get(child.id)
    if actor is not None:
        mailbox = actor.mailbox.statistics()
        node["mailbox"] = {"depth": mailbox.depth, "high_water": mailbox.high_water, "capacity": mailbox.capacity}
    node["children"] = [_node(one, actors) for one in child.children]
    return node


def _unhealthy(children: Iterable[ChildInfo]) -> Iterable[str]:
    for child in children:
        if child.state in ("restarting", "parked", "overrun"):
            yield f"{child.id} is {child.state}"
        yield from _unhealthy(child.children)
