"""Refusals and faults as answers: ``application/problem+json`` (RFC 9457) with the correlation ID."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actors.documents.common import ProblemDocument, encoded
from actors.jobs.refusal import RefusalKind, Refused
from actors.store.errors import ReadTooSlow, StoreBusy, StoreError
from actors.validation import CheckedError, Problem
from logconf import get_correlation_id, get_logger

PROBLEM = "application/problem+json"
AGAIN_SECONDS = "5"
"""``Retry-After`` of an answer 503, in seconds, if nothing better is known."""
_MOST_FAULTS = 50
_LONGEST = 400
_STATUS = {
    RefusalKind.INVALID: 422,
    RefusalKind.NOT_FOUND: 404,
    RefusalKind.CONFLICT: 409,
    RefusalKind.FORBIDDEN: 403,
    RefusalKind.UNAVAILABLE: 503,
}
_logger = get_logger("actors.api")


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    faults: Sequence[Problem] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer to a request that failed; ``field`` is what to change, ``errors`` lists all faults at once."""
    body: ProblemDocument = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "correlation_id": get_correlation_id(),
    }
    if field is not None:
        body["field"] = field[:_LONGEST]
    if faults:
        body["errors"] = [{"field": fault.path[:_LONGEST], "message": fault.message[:_LONGEST]} for fault in faults]
    if status == 503:
        headers = {"Retry-After": AGAIN_SECONDS, **(headers or {})}
    return Response(encoded(body), status_code=int(status), headers=headers, media_type=PROBLEM)


def problem_of(error: Exception) -> Response:
    """The answer to a request that raised ``error``. An unexpected error is only in the log, under the ID in the
    answer.
    """
    match error:
        case Refused():
            faults = [Problem(None, field, message) for field, message in error.faults[:_MOST_FAULTS]]
            return problem(_STATUS[error.kind], str(error), field=error.field, faults=faults)
        case CheckedError():  # all faults, up to a number that a person would read
            shown = error.faults[:_MOST_FAULTS]
            field = shown[0].path if shown and shown[0].path else None
            lines = [f"{fault!s:.{_LONGEST}}" for fault in shown]
            if more := len(error.faults) - len(shown):
                lines.append(f"and {more} more")
            return problem(422, "\n".join(lines), field=field, faults=shown)
        case ReadTooSlow():
            _logger.warning("A read for a person took too long and was ended")
            return problem(503, str(error))
        case StoreError():
            _logger.error("A request was not stored: %s", error)
            headers = {"Retry-After": "1"} if isinstance(error, StoreBusy) else None
            return problem(503, str(error), headers=headers)
        case HTTPException():  # from the framework too: unknown paths and methods, bodies that are too long
            return problem(error.status_code, error.detail, headers=dict(error.headers or {}))
    message = "an error in Greenroom; its log has more under this correlation ID"
    return problem(500, message)


async def _handle(_request: Request, error: Exception) -> Response:
    await trio.lowlevel.checkpoint()
    return problem_of(error)


HANDLERS: dict[Any, Any] = dict.fromkeys((Refused, CheckedError, StoreError, HTTPException, Exception), _handle)
