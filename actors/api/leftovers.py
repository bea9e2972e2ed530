"""Routes about messages that were not handled: dead letters and the quarantine."""

from __future__ import annotations

import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.api.asking import answer, fields_of, runtime_of


async def dead_letters(request: Request) -> Response:
    """Messages that reached nobody."""
    await trio.lowlevel.checkpoint()
    return answer({"dead_letters": runtime_of(request).leftovers.dead_letters()})


async def quarantine(request: Request) -> Response:
    """Messages whose handling crashed their actor."""
    await trio.lowlevel.checkpoint()
    return answer({"quarantine": runtime_of(request).leftovers.quarantine()})


async def replay(request: Request) -> Response:
    """Send one to its actor once more."""
    await fields_of(request, ())
    runtime_of(request).leftovers.replay(request.path_params["message_id"])
    return await quarantine(request)


async def drop(request: Request) -> Response:
    """Forget one."""
    runtime_of(request).leftovers.drop(request.path_params["message_id"])
    return await quarantine(request)


ROUTES = [
    Route("/api/actors/dead-letters", dead_letters, methods=["GET"]),
    Route("/api/actors/quarantine", quarantine, methods=["GET"]),
    Route("/api/actors/quarantine/{message_id:int}/replay", replay, methods=["POST"]),
    Route("/api/actors/quarantine/{message_id:int}", drop, methods=["DELETE"]),
]
