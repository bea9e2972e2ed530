"""Routes about the actors: the supervision tree, and messages that were not handled."""

from __future__ import annotations

from actors.access.permission import ADMIN, LEAD
from actors.api.route import Call, Nothing, route
from actors.documents.runtime import DeadLettersDocument, QuarantineDocument, TreeDocument


async def tree(call: Call[Nothing, Nothing]) -> TreeDocument:
    """Show the supervision tree."""
    return {"children": call.runtime.tree.describe()}


async def start(call: Call[Nothing, Nothing]) -> TreeDocument:
    """Start a parked actor or server again."""
    await call.runtime.tree.start(call.path("name"))
    return await tree(call)


async def dead_letters(call: Call[Nothing, Nothing]) -> DeadLettersDocument:
    """List messages that reached no actor."""
    return {"dead_letters": call.runtime.dead_letters.undelivered()}


async def quarantine(call: Call[Nothing, Nothing]) -> QuarantineDocument:
    """List messages whose handling crashed their actor."""
    return {"quarantine": call.runtime.dead_letters.quarantine()}


async def replay(call: Call[Nothing, Nothing]) -> QuarantineDocument:
    """Send a quarantined message to its actor once more."""
    call.runtime.dead_letters.replay(call.request.path_params["message_id"])
    return await quarantine(call)


async def drop(call: Call[Nothing, Nothing]) -> QuarantineDocument:
    """Delete a quarantined message."""
    call.runtime.dead_letters.drop(call.request.path_params["message_id"])
    return await quarantine(call)


ROUTES = [
    route("GET", "/api/actors", tree, LEAD),
    route("POST", "/api/actors/{name}/start", start, ADMIN),
    route("GET", "/api/actors/dead-letters", dead_letters, LEAD),
    route("GET", "/api/actors/quarantine", quarantine, LEAD),
    route("POST", "/api/actors/quarantine/{message_id:int}/replay", replay, ADMIN),
    route("DELETE", "/api/actors/quarantine/{message_id:int}", drop, ADMIN),
]
