"""The supervision tree as plain data, for people and programs to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import trio

from actors.kernel import ActorRef
from supervision import ChildInfo


def tree_of(children: Iterable[ChildInfo], actors: Mapping[str, ActorRef]) -> list[dict[str, Any]]:
    """Each child with its state, restarts, seconds of uptime, mailbox, last failure; supervisors with theirs below."""
    return [_node(child, actors) for child in children]


def _node(child: ChildInfo, actors: Mapping[str, ActorRef]) -> dict[str, Any]:
    node: dict[str, Any] = {
        "id": child.id,
        "state": child.state,
        "incarnation": child.incarnation,
        "restarts": child.restarts,
        "recent_restarts": child.recent_restarts,
        "uptime": _uptime(child),
        "last_exit": None if child.last_exit is None else str(child.last_exit),
    }
    actor = actors.get(child.id)
    if actor is not None:
        mailbox = actor.mailbox.statistics()
        node["mailbox"] = {"depth": mailbox.depth, "high_water": mailbox.high_water, "capacity": mailbox.capacity}
    if child.children is not None:
        node["children"] = tree_of(child.children, actors)
    return node


def _uptime(child: ChildInfo) -> float | None:
    if child.state != "running" or child.started_at is None:
        return None
    return round(trio.current_time() - child.started_at, 3)


def troubled(children: Iterable[ChildInfo]) -> list[str]:
    """Ids of children that should run and do not."""
    found = []
    for child in children:
        if child.state in ("restarting", "parked", "overrun"):
            found.append(f"{child.id} is {child.state}")
        found.extend(troubled(child.children or ()))
    return found
