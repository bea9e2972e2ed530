"""A page of a list, as it is asked for."""

from __future__ import annotations

import attrs

from actors.jobs import maxima
from actors.jobs.refusal import RefusalKind, Refused


@attrs.frozen
class PageRequest:
    """A page that is asked for: how many rows at most, behind which cursor, and who asks, for whom a cursor is good."""

    limit: int
    cursor: str | None = None
    caller: str = ""

    def check(self) -> None:
        """Raises :class:`Refused` for more rows than a page has."""
        if not 0 <= self.limit <= maxima.ROWS:
            message = f"limit: must be from 0 to {maxima.ROWS}, not {self.limit}"
            raise Refused(message, RefusalKind.INVALID, "limit")
