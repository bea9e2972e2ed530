"""The route about entry points, which a job may name instead of a command."""

from __future__ import annotations

from actors.access.permission import RESEARCHER
from actors.api.route import Call, Nothing, route
from actors.documents.entry_points import EntryPointsDocument, entry_point_document


async def listing(call: Call[Nothing, Nothing]) -> EntryPointsDocument:
    """List the configured entry points with the rules for their parameters, and with each provider that can start
    them.
    """
    return {"entry_points": [entry_point_document(one) for one in call.reading.entry_points.listing()]}


ROUTES = [route("GET", "/api/entry-points", listing, RESEARCHER)]
