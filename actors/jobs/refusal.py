"""Refusals: why a request is not possible, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class RefusalKind(StrEnum):
    """Why something was refused. HTTP statuses and exit statuses are chosen by it."""

    INVALID = "invalid"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"


class Refused(Exception):
    """The request cannot be done; the message says why and what to change. Nothing was changed.

    ``field`` is what to change; ``faults`` has all faults if there are several: each one's field and sentence.
    """

    def __init__(
        self,
        message: str,
        kind: RefusalKind = RefusalKind.CONFLICT,
        field: str | None = None,
        faults: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.field = field
        self.faults = tuple(faults)


def invalid(field: str, message: str) -> Refused:
    """The refusal of the value of ``field``; ``message`` follows its name."""
    return Refused(f"{field}: {message}", RefusalKind.INVALID, field)
