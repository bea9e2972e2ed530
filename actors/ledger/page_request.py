"""A page of a list, as it is asked for."""

from __future__ import annotations

import attrs

from actors.jobs import maxima
from actors.jobs.refusal import RefusalKind, Refused


@attrs.frozen
class PageRequest:
    """A requested page: at most how many rows, after which cursor, and the caller, for whom alone a cursor is valid."""

    limit: int
    cursor: str | None = None
    caller: str = ""

    def check(self) -> None:
        """Raises :class:`Refused` for more rows than a page has."""
        if not 0 <= self.limit <= maxima.ROWS:
            message = f"limit: must be from 0 to {maxima.ROWS}, not {self.limit}"
            raise Refused(message, RefusalKind.INVALID, "limit")
