"""The query parameters for a job's output: where to begin, how much, which attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import attrs
from attrs.validators import ge, le, matches_re, min_len, optional

from actors.jobs import maxima, maximum

MOST_BYTES = 8 << 20
"""The most bytes of one page of a job's output."""
MOST_LINES = 1_000_000
"""The most last lines of an output that can be requested."""

_CURSOR, _ATTEMPT = maximum.Text(maxima.CURSOR), optional([ge(1), le(999_999)])
_TEXT: list[Any] = [min_len(1), maximum.Text(maxima.NAME), matches_re(r"[^\r\n]*")]


@attrs.frozen
class LogsQuery:
    """``cursor``: continue from there. ``follow``: until the job ends. ``limit``: one page of about this many
    bytes. ``attempt``: only the output of this attempt. ``tail``: begin with this many last lines. ``since``: begin
    with what was written since a time, exact to about a second, for long jobs to a minute; 422 if that is not
    known. If both are given, the later place counts.
    """

    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    tail: int | None = attrs.field(default=None, validator=optional([ge(0), le(MOST_LINES)]))
    since: datetime | None = None
    follow: bool = False
    attempt: int | None = attrs.field(default=None, validator=_ATTEMPT)
    limit: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST_BYTES)]))


@attrs.frozen
class LogSearchQuery:
    """``text``: what to search for, within one line, ignoring case. ``attempt``: only in the output of this
    attempt. ``limit``: the most lines to find.
    """

    text: str = attrs.field(validator=_TEXT)
    attempt: int | None = attrs.field(default=None, validator=_ATTEMPT)
    limit: int = attrs.field(default=maxima.ROWS, validator=[ge(1), le(maxima.ROWS)])


@attrs.frozen
class LogStreamQuery:
    """``cursor``: continue from there; ``Last-Event-ID`` wins. ``attempt``: only the output of this attempt.
    ``encoding``: how the events contain output: as ``text``, or as ``base64`` of its bytes.
    """

    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    attempt: int | None = attrs.field(default=None, validator=_ATTEMPT)
    encoding: Literal["text", "base64"] = "text"
