"""Finds the line of a job's output that says why it failed: pure, for every provider that makes a reason from output.

The last line is often noise: a colour reset, a progress bar, a ruler line, a warning of Python at its exit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from actors.jobs.os_text import printable
from actors.providers.json_reading import json_object

REASON_LENGTH = 300
"""The most characters of a reason that are shown."""
LOOKED_AT = 64 * 1024
"""Bytes at the end of the output that are searched for it."""
_LINES = 64
_LONGEST_LINE = 16 * 1024  # characters; a longer line is cut at its beginning

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]?"  # colours and movements
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"  # titles and links
    r"|\x1b[PX^_][^\x1b]{0,4096}(?:\x1b\\)?"  # strings for devices
    r"|\x1b[ -/]{0,4}[0-~]?"  # all others
)
_NAMES = re.compile(
    r"\b(?:[A-Z]\w*(?:Error|Exception|Interrupt|ExceptionGroup)|Error|Exception)\b"  # classes
    r"|^(?:\S+:\s+){0,3}\[?(?i:error|fatal|panic|fatal error)\b\]?\s*[:!\]]"  # prog: error: ...
    r"|^(?:\S+\s+){0,4}\[?(?:ERROR|FATAL|CRITICAL|PANIC)\b"  # of a log
    r"|\bpanicked at\b|\b[Ss]egmentation fault\b|\b(?:core dumped|out of memory)\b"
)
_TRACEBACK = re.compile(r"^(?:\[[^\]]{1,80}\]:?\s*)?Traceback \(most recent call last\)")
_NOISE = re.compile(
    r"resource_tracker|warnings\.warn\(|\b\w*Warning:|^\s*warn\w*\("
    r"|ChildFailedError:?\s*$|\berror_file\s*:|\btraceback\s*:|\bexitcode\s*:"  # torchrun sums up what was said before
)
_NOT_THE_JOBS = re.compile(  # what Ray writes around a job's output, into the same log
    r"INFO job_manager\.py:\d+ --|^Running entrypoint for job |^Job entrypoint command failed with exit code"
)
_FRAME = "│┃╭╮╰╯─━═ "


def last_words(output: bytes | str) -> str:
    """The last statement about the failure in ``output``, or in its end, printable and cut; "" if there is none.

    It is the last line that names an exception or an error within the last 64 lines, else the last line that is not
    known noise, else the last line; always one with a letter or a digit. For a line that was overwritten, it is its
    final content; for a line of structured JSON, its ``message`` (:mod:`logconf`) or ``event`` (structlog).
    """
    lines = [_plain(_said(line)) for line in _ends(output)]
    said = [
        (number, line)
        for number, line in enumerate(lines)
        if any(mark.isalnum() for mark in line) and not _NOT_THE_JOBS.search(line)
    ]
    if not said:
        return ""
    candidates = [(number, line) for number, line in said if not _NOISE.search(line)]
    named = {number: line for number, line in candidates if _NAMES.search(line)}
    if (after := _after_traceback(lines)) is not None and not _NOISE.search(lines[after]):
        named.setdefault(after, lines[after])
    line = named[max(named)] if named else (candidates or said)[-1][1]
    line = line.strip().strip(_FRAME).strip()
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def plain_text(text: str) -> str:
    """``text`` without control sequences for terminals; lines stay lines."""
    return "\n".join(_plain(line).rstrip() for line in text.replace("\r\n", "\n").split("\n"))


def _ends(output: bytes | str) -> Iterator[str]:
    """The last lines that are not empty, first one first, each as it stands on a terminal at its end."""
    text = output.decode(errors="replace") if isinstance(output, bytes) else output
    found: list[str] = []
    for line in reversed(text[-LOOKED_AT * 4 :].split("\n")):
        shown = next((part for part in reversed(line[-_LONGEST_LINE:].split("\r")) if _plain(part).strip()), "")
        if shown:
            found.append(shown)
            if len(found) == _LINES:
                break
    return reversed(found)


def _plain(line: str) -> str:
    return printable(_ESCAPES.sub("", line)).rstrip()


def _said(line: str) -> str:
    value = (json_object(line) or {}) if line.lstrip().startswith("{") else {}
    message = value.get("message", value.get("event"))
    return message if isinstance(message, str) else line


def _after_traceback(lines: list[str]) -> int | None:
    """Where the exception of the last traceback is named, whatever its class is called."""
    begins = [number for number, line in enumerate(lines) if _TRACEBACK.search(line)]
    if not begins:
        return None
    for number in range(begins[-1] + 1, len(lines)):
        if lines[number].strip() and not lines[number].startswith((" ", "\t", "[")):
            return number
    return None
