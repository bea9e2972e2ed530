"""The OpenAPI document, and a page to read it: its own markup and module, nothing from elsewhere."""

from __future__ import annotations

import trio
from starlette.responses import Response

from actors.api.openapi import document
from actors.api.pages import static_files
from actors.api.request_context import Answer, answer
from actors.api.route import Call, Nothing, route
from actors.documents.common import Document

_HTML = "text/html"


async def openapi(call: Call[Nothing, Nothing]) -> Answer[Document]:
    """What this application takes and gives, as OpenAPI 3.1: of a job request the fields that who asks could set."""
    await trio.lowlevel.checkpoint()
    state, source = call.request.app.state, call.peer.source
    if not hasattr(state, "openapi"):
        state.openapi = {}
    if source not in state.openapi:
        state.openapi[source] = document(call.request.app.routes, source)
    return answer(state.openapi[source])


async def reference(call: Call[Nothing, Nothing]) -> Response:
    """The same for people. The page asks for the document in the name of whoever looks at it."""
    await trio.lowlevel.checkpoint()
    page = static_files()["reference.html"]
    return Response(page.content, media_type=page.media_type, headers={"Cache-Control": "no-cache", "ETag": page.tag})


ROUTES = [
    route("GET", "/api/openapi.json", openapi),
    route("GET", "/api/reference", reference, media=_HTML),
]
