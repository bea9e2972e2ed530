"""What the answers share."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

Moment = Annotated[str, "date-time"]
"""A time, in UTC with milliseconds and ``Z``."""

Document = dict[str, Any]
"""An object of which no more is promised than that it is one."""


class FaultDocument(TypedDict):
    """One thing to mend, and where it stands."""

    field: str
    message: str


class ProblemDocument(TypedDict):
    """What is wrong (RFC 9457). ``field`` is what to change; ``errors`` are all faults where there are several.

    ``correlation_id`` finds the request's lines in the log.
    """

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str
    field: NotRequired[str]
    errors: NotRequired[list[FaultDocument]]
