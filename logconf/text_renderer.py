r"""The text form: `2024-01-15 10:30:00 [INFO] logger (correlation id): message`, for reading on a terminal.

Time is UTC, as in the JSON form, so that lines of several machines and of both forms can be compared. Fields are not
shown. A record is one line, in which line breaks are shown as `\n`; the lines of a traceback follow, indented, so that
no logged text can look like a record.
"""

from __future__ import annotations

import logging
import re
import time

from logconf.exceptions import traces_of
from logconf.records import correlation_id_of, message_of
from logconf.sanitize import LIMIT_STEPS, clean_text, shown_id, text_of, type_name

# C0 and C1 controls except the tab, and what str.splitlines breaks at: terminals obey them
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_LIMITS = LIMIT_STEPS[0]


class TextRenderer:
    """`renderer(record)` is the record as bytes, newline included. Never raises; callable from any thread."""

    def __init__(self, *, include_stack_info: bool = False) -> None:
        self._include_stack_info = include_stack_info

    def __call__(self, record: logging.LogRecord) -> bytes:
        try:
            return self._lines(record)
        except Exception as error:  # noqa: BLE001 - border: a line is never lost to the record's own faults
            now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
            attributes = record.__dict__
            level, name = (_one_line(text_of(attributes.get(key)), 256) for key in ("levelname", "name"))
            message = _one_line(text_of(attributes.get("msg")), 1024)
            why = f"[cut: the record raised {type_name(error)}]"
            return f"{now} [{level}] {name} ({correlation_id_of(record)}): {why} {message}\n".encode()

    def _lines(self, record: logging.LogRecord) -> bytes:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(record.created))
        correlation_id = correlation_id_of(record)
        message = _one_line(message_of(record), _LIMITS.message)
        level, name = _one_line(record.levelname, 64), _one_line(record.name, 256)
        parts = [f"{when} [{level}] {name} ({_CONTROL.sub(_visible, shown_id(correlation_id))}): {message}\n"]
        traces = traces_of(record, _LIMITS, include_stack_info=self._include_stack_info)
        parts += [_indented(trace) for trace in traces if trace is not None]
        return "".join(parts).encode()


def _visible(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]


def _one_line(text: str, limit: int) -> str:
    return _CONTROL.sub(_visible, clean_text(text, limit))


def _indented(text: str) -> str:
    return "".join(f"  {_CONTROL.sub(_visible, line)}\n" for line in text.split("\n"))
