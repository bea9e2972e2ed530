"""The route about entry points: what a job may name in place of a command."""

from __future__ import annotations

from actors.access.permission import RESEARCHER
from actors.api.route import Call, Nothing, route
from actors.documents.entry_points import EntryPointsDocument, entry_point_document


async def listing(call: Call[Nothing, Nothing]) -> EntryPointsDocument:
    """The configured entry points with the rules for their parameters, each with each provider that can start it."""
    return {"entry_points": [entry_point_document(one) for one in call.reading.entry_points.listing()]}


ROUTES = [route("GET", "/api/entry-points", listing, RESEARCHER)]
