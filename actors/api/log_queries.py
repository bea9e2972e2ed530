"""How a job's output is asked for: from where, how much of it, of which attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import attrs
from attrs.validators import ge, le, matches_re, min_len, optional

from actors.jobs import maxima, maximum

MOST_BYTES = 8 << 20
"""Of one page of a job's output."""
MOST_LINES = 1_000_000
"""Of the last lines of an output."""

_CURSOR, _ATTEMPT = maximum.Text(maxima.CURSOR), optional([ge(1), le(999_999)])
_TEXT: list[Any] = [min_len(1), maximum.Text(maxima.NAME), matches_re(r"[^\r\n]*")]


@attrs.frozen
class LogsQuery:
    """``cursor``: go on from there. ``follow``: until the job ends. ``limit``: one page of about so many bytes.
    ``attempt``: the output of this attempt alone. ``tail``: begin with so many last lines. ``since``: begin with what
    came then, to about a second, for jobs that run long to a minute; 422 where that is not known. Of both, the later.
    """

    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    tail: int | None = attrs.field(default=None, validator=optional([ge(0), le(MOST_LINES)]))
    since: datetime | None = None
    follow: bool = False
    attempt: int | None = attrs.field(default=None, validator=_ATTEMPT)
    limit: int | None = attrs.field(default=None, validator=optional([ge(1), le(MOST_BYTES)]))


@attrs.frozen
class LogSearchQuery:
    """``text``: what to look for, in one line, upper and lower case alike. ``attempt``: in this attempt's output alone.
    ``limit``: lines that are found, at most.
    """

    text: str = attrs.field(validator=_TEXT)
    attempt: int | None = attrs.field(default=None, validator=_ATTEMPT)
    limit: int = attrs.field(default=maxima.ROWS, validator=[ge(1), le(maxima.ROWS)])


@attrs.frozen
class LogStreamQuery:
    """``cursor``: go on from there; ``Last-Event-ID`` wins. ``attempt``: the output of this attempt alone.
    ``encoding``: how the events contain output: as ``text``, or as ``base64`` of its bytes.
    """

    cursor: str | None = attrs.field(default=None, validator=_CURSOR)
    attempt: int | None = attrs.field(default=None, validator=_ATTEMPT)
    encoding: Literal["text", "base64"] = "text"
