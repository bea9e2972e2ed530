"""A trace for reading: relative times, one colour an actor, gaps marked, exceptions folded."""

from __future__ import annotations

import datetime as dt
import re
import zlib
from typing import Any

from logconf.trace.reading import TraceLine

GAP_SECONDS = 5.0
"""A pause at least this long is marked."""

_COLOURS = (36, 32, 35, 34, 33, 96, 92, 95, 94)  # no red: that is for errors
_LEVEL_COLOURS = {"WARNING": 33, "ERROR": 31, "CRITICAL": 31}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Timeline:
    """Turns each found line into text, in order; remembers only when the first and the last one were."""

    def __init__(self, *, colour: bool, full: bool = False, gap_seconds: float = GAP_SECONDS) -> None:
        self._colour = colour
        self._full = full
        self._gap = gap_seconds
        self._first: dt.datetime | None = None
        self._last: dt.datetime | None = None

    def show(self, found: TraceLine) -> str:
        """The line, with the mark of a gap before it and its exception after it; no newline at the end."""
        fields = found.fields
        when = _time(found.timestamp)
        shown: list[str] = []
        offset = " " * 10
        if when is not None:
            self._first = self._first or when
            pause = (when - self._last).total_seconds() if self._last is not None else 0.0
            if pause >= self._gap:
                shown.append(self._paint(f"{'':>24} ··· {_duration(pause)} ···", 2))
            # A clock that was put back makes no line earlier than the first.
            offset = f"{max(0.0, (when - self._first).total_seconds()):+10.3f}"
            self._last = when
        level = str(fields.get("level", "?"))
        logger = _safe(str(fields.get("logger", "?")))
        extra = fields.get("extra")
        actor = extra.get("actor") if isinstance(extra, dict) else None
        parts = [
            _safe(found.timestamp) or "?",
            offset,
            self._paint(f"{_safe(level):<8}", _LEVEL_COLOURS.get(level, 0)),
            self._paint(logger, _COLOURS[zlib.crc32(str(actor or logger).encode()) % len(_COLOURS)]),
            _safe(str(fields.get("message", ""))),
            self._paint(_pairs(extra), 2),
        ]
        shown.append("  ".join(part for part in parts if part))
        if isinstance(fields.get("exception"), str):
            shown.append(self._exception(fields["exception"]))
        return "\n".join(shown)

    def _exception(self, text: str) -> str:
        lines = text.split("\n")
        if self._full:
            return "\n".join(f"{'':>24} │ {_safe(line)}" for line in lines)
        fold = f" ({len(lines)} lines, --full shows them)" if len(lines) > 1 else ""
        last = next((line for line in reversed(lines) if line[:1].strip()), lines[-1])  # not a group's indented leaf
        return f"{'':>24} └ {self._paint(_safe(last), 31)}{fold}"

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour and text else text


def _time(timestamp: str) -> dt.datetime | None:
    try:
        when = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _pairs(extra: Any) -> str:
    if not isinstance(extra, dict):
        return ""
    return " ".join(f"{_safe(str(key))}={_safe(str(value))[:200]}" for key, value in extra.items())


def _safe(text: str) -> str:
    """Without control characters: a log line must not drive the terminal."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
