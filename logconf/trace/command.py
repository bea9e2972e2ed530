"""The command line of `python -m logconf trace`."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from logconf.trace.reading import LEVELS, Search, TraceLine, follow_file, search_files

# A trace for reading: relative times, one colour an actor, gaps marked, exceptions folded.

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


_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_NUMBER = r"\d{1,12}(?:\.\d{1,9})?"
_DURATION = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit in _UNITS), re.ASCII)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0: lines were found, 1: none, 2: wrong usage."""
    parser = _parser()
    given = sys.argv[1:] if argv is None else list(argv)
    end = given.index("--") if "--" in given else len(given)  # the parser would forget it: an ID may begin with "-"
    arguments = parser.parse_intermixed_args(given[:end])
    names: list[str] = [*arguments.words, *given[end + 1 :]]
    correlation_id: str | None = None
    if arguments.job is None:
        if not names:
            parser.error("an ID is needed: a correlation ID, or --job ID")
        correlation_id, *names = names
    names = names or ["-"]
    search = Search(correlation_id, arguments.job, LEVELS[arguments.level], arguments.since or "")
    if arguments.follow and (len(names) != 1 or names == ["-"]):
        parser.error("--follow needs exactly one FILE")
    try:
        lines = follow_file(search, Path(names[0])) if arguments.follow else search_files(search, names)
        return _print(search, lines, arguments)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `| head` has seen enough; the interpreter must not try to flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _print(search: Search, lines: Iterator[TraceLine], arguments: argparse.Namespace) -> int:
    colour = arguments.colour == "always" or (arguments.colour == "auto" and sys.stdout.isatty())
    timeline = Timeline(colour=colour, full=arguments.full, gap_seconds=arguments.gap)
    count = 0
    for found in lines:
        count += 1
        text = found.raw.decode("utf-8", "replace") if arguments.json else timeline.show(found)
        print(text, flush=arguments.follow)
    for problem in search.unreadable:
        print(problem, file=sys.stderr)
    if search.broken:
        print(f"{search.broken} broken lines skipped", file=sys.stderr)
    if not count:
        print("no line of this ID", file=sys.stderr)
    return 0 if count else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m logconf trace",
        description="Show every line of one correlation ID, or of one job, as a timeline.",
        epilog="Rotated files beside FILE (FILE.1, FILE.2.gz, FILE-20240115.gz) are read too. "
        "Without FILE, or with -, standard input is read.",
    )
    parser.add_argument("words", nargs="*", metavar="ID FILE", help="the correlation ID (not with --job), then files")
    parser.add_argument("--job", metavar="ID", help="lines whose extra.job_id is ID")
    parser.add_argument(
        "--level", default="DEBUG", type=str.upper, choices=list(LEVELS), help="this level and above (default: all)"
    )
    parser.add_argument("--since", type=_since, help="a time (2024-01-15T10:30) or an age (90s, 15m, 1d12h)")
    parser.add_argument("--json", action="store_true", help="print the lines as they are")
    parser.add_argument("--follow", action="store_true", help="then wait for more, as tail -F does")
    parser.add_argument("--full", action="store_true", help="show whole tracebacks")
    parser.add_argument("--gap", type=_gap, default=GAP_SECONDS, metavar="DURATION", help="mark pauses this long")
    parser.add_argument("--colour", choices=["auto", "always", "never"], default="auto")
    return parser


def _seconds(text: str) -> float | None:
    """The seconds that ``90``, ``90s``, ``1.5h`` or ``1d12h`` means; None for another text."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return float(text)
    parts = _DURATION.fullmatch(text) if text else None
    return parts and sum(
        float(number or 0) * unit for number, unit in zip(parts.groups(), _UNITS.values(), strict=True)
    )


def _gap(text: str) -> float:
    """`--gap` in seconds."""
    if (seconds := _seconds(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90s or 2m")
    return seconds


def _since(text: str) -> str:
    """`--since` as a line's timestamp."""
    if (age := _seconds(text)) is not None:
        when = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age)
    else:
        try:
            when = dt.datetime.fromisoformat(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither a time nor an age such as 15m") from None
        when = when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"
