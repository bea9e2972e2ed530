"""Routes about the actors: the supervision tree, and messages that were not handled."""

from __future__ import annotations

import trio

from actors.api.request_context import Answer, answer
from actors.api.route import Call, Nothing, route
from actors.documents.runtime import DeadLettersDocument, QuarantineDocument, TreeDocument


async def tree(call: Call[Nothing, Nothing]) -> Answer[TreeDocument]:
    """The supervision tree."""
    await trio.lowlevel.checkpoint()
    return answer({"children": call.runtime.tree.describe()})


async def dead_letters(call: Call[Nothing, Nothing]) -> Answer[DeadLettersDocument]:
    """Messages that reached nobody."""
    await trio.lowlevel.checkpoint()
    return answer({"dead_letters": call.runtime.dead_letters.undelivered()})


async def quarantine(call: Call[Nothing, Nothing]) -> Answer[QuarantineDocument]:
    """Messages whose handling crashed their actor."""
    await trio.lowlevel.checkpoint()
    return answer({"quarantine": call.runtime.dead_letters.quarantine()})


async def replay(call: Call[Nothing, Nothing]) -> Answer[QuarantineDocument]:
    """Send a quarantined message to its actor once more."""
    call.runtime.dead_letters.replay(call.request.path_params["message_id"])
    return await quarantine(call)


async def drop(call: Call[Nothing, Nothing]) -> Answer[QuarantineDocument]:
    """Forget a quarantined message."""
    call.runtime.dead_letters.drop(call.request.path_params["message_id"])
    return await quarantine(call)


ROUTES = [
    route("GET", "/api/actors", tree),
    route("GET", "/api/actors/dead-letters", dead_letters),
    route("GET", "/api/actors/quarantine", quarantine),
    route("POST", "/api/actors/quarantine/{message_id:int}/replay", replay),
    route("DELETE", "/api/actors/quarantine/{message_id:int}", drop),
]
