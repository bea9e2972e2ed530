"""One record as one line of JSON. This code runs for every line.

Keys, order and separators are fixed: `timestamp, level, logger, message, correlation_id, source, extra`, then
`exception, stack_info, trace_id, span_id` if they apply; `", "` and `": "` between top-level fields, compact inside.
The line is put together from pieces that repeat (the second, level and logger, the call site, an entered LogContext),
each cached and bounded; only what is new is encoded, by orjson. What is not a short plain scalar goes through
`sanitize`. A line never has more than `MAX_LINE` bytes: if it would, it is made again with tighter limits.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import logging
import os
import sys
import time
from typing import Any

import orjson

from logconf.context import current_correlation_id, current_frame, get_correlation_id
from logconf.exceptions import traces_of
from logconf.masking import key_names_secret, mask_text, registered_secrets
from logconf.records import correlation_id_of, extra_of, message_of
from logconf.sanitize import LIMIT_STEPS, Limits, Sanitizer, clean_text, shown_id, text_of, type_name

MAX_LINE = 65_536
"""Bytes of one line at most, its newline included."""

_TELEMETRY = "opentelemetry.trace"
_dumps = orjson.dumps
_modules = sys.modules
_MILLIS = tuple(b'%03dZ"' % ms for ms in range(1000))
_PLAIN = frozenset({str, int, float, bool, type(None)})
_SHORT = 1024  # a str longer than this is cleaned the careful way
_CACHED = 4096  # entries of each cache

#: Raw in JSON, but a line break to `str.splitlines` and to some editors.
_LINE_BREAKS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


class JsonRenderer:
    """`renderer(record)` is the record's line as bytes, newline included. Never raises; callable from any thread.

    `include_stack_info` adds `stack_info` (the caller's stack) to lines of ERROR and above.
    """

    def __init__(self, *, include_stack_info: bool = False) -> None:
        self._include_stack_info = include_stack_info
        self._second: tuple[int, bytes] = (-1, b"")
        # caches of this renderer: a new one masks what was registered as secret meanwhile
        self._site = functools.lru_cache(_CACHED)(_site)
        self._call_site = functools.lru_cache(_CACHED)(_call_site)
        self._id = functools.lru_cache(_CACHED)(_id)

    def __call__(self, record: logging.LogRecord) -> bytes:
        try:
            message = message_of(record)
            for limits in LIMIT_STEPS:
                line = _without_line_breaks(self._line(record, message, limits))
                if len(line) <= MAX_LINE:
                    return line
        except Exception as error:  # noqa: BLE001 - border: a line is never lost to the record's own faults
            return self._last_resort(record, f"raised {type_name(error)}")
        return self._last_resort(record, "was too long")

    def line_of_call(
        self,
        site: tuple[str, int, str, int, str],
        template: str,
        arguments: tuple[Any, ...],
        extra: dict[str, Any] | None,
    ) -> bytes | None:
        """The line of a call that needs no record: plain arguments, no exception. None if it needs one.

        `site`: logger, level number, path of the source, line in it, function.
        """
        try:
            created = time.time()
            head, source = self._call_site(*site)
            message = template % arguments if arguments else template
            limits = LIMIT_STEPS[0]
            line = b"".join((
                self._time(created), head, _encoded(message, limits.message),
                self._id(current_correlation_id() or get_correlation_id()), source, _fields(extra, limits),
                b"}\n" if _TELEMETRY not in _modules else _span(_modules[_TELEMETRY]) + b"}\n",
            ))  # fmt: skip
        except Exception:  # noqa: BLE001 - border: the way with a record says what was wrong
            return None
        line = _without_line_breaks(line)
        return line if len(line) <= MAX_LINE else None

    def _time(self, created: float) -> bytes:
        second = int(created)
        known, start = self._second
        if second != known:
            start = b'{"timestamp": "%04d-%02d-%02dT%02d:%02d:%02d.' % time.gmtime(second)[:6]
            self._second = (second, start)
        return start + _MILLIS[int((created - second) * 1000)]

    def _line(self, record: logging.LogRecord, message: str, limits: Limits) -> bytes:
        head, source = self._site(record.levelname, record.name, record.pathname, record.lineno, record.funcName)
        rest = b"}\n"
        if record.exc_info or record.exc_text or record.stack_info or record.levelno >= logging.ERROR:
            rest = self._traces(record, limits) + rest
        if _TELEMETRY in _modules:
            rest = rest[:-2] + _span(_modules[_TELEMETRY]) + b"}\n"
        return b"".join((
            self._time(record.created), head, _encoded(message, limits.message),
            self._id(correlation_id_of(record)), source, _fields(extra_of(record), limits), rest,
        ))  # fmt: skip

    def _traces(self, record: logging.LogRecord, limits: Limits) -> bytes:
        exception, stack = traces_of(record, limits, include_stack_info=self._include_stack_info)
        shown = b"" if exception is None else b', "exception": ' + _dumps(exception)
        return shown if stack is None else shown + b', "stack_info": ' + _dumps(stack)

    def _last_resort(self, record: logging.LogRecord, why: str) -> bytes:
        """A line made only from parts that cannot fail."""
        attributes = record.__dict__
        line = attributes.get("lineno")
        number = line if type(line) is int and 0 <= line < 2**53 else 0
        names = ("levelname", "name", "filename", "funcName")
        level, logger, file, function = (clean_text(text_of(attributes.get(name)), 256) for name in names)
        fields = {
            "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": level,
            "logger": logger,
            "message": f"[cut: the record {why}] " + clean_text(text_of(attributes.get("msg")), 1024),
            "correlation_id": shown_id(correlation_id_of(record)),
            "source": {"file": file, "line": number, "function": function},
            "extra": {},
        }
        return b"{%b}\n" % b", ".join(b'"%b": %b' % (name.encode(), _dumps(value)) for name, value in fields.items())


def _without_line_breaks(line: bytes) -> bytes:
    if not line.isascii():
        for raw, escaped in _LINE_BREAKS:
            line = line.replace(raw, escaped)
    return line


def _id(correlation_id: str) -> bytes:
    return b', "correlation_id": ' + _dumps(shown_id(correlation_id))


def _site(level: object, name: object, path: object, line: object, function: object) -> tuple[bytes, bytes]:
    """What the lines of one call site have in common: level and logger, and the source."""
    head = b', "level": %b, "logger": %b, "message": ' % (_encoded(text_of(level), 64), _encoded(text_of(name), 256))
    source = {
        "file": clean_text(os.path.basename(text_of(path)), 256),  # noqa: PTH119 - 20 times as fast as PurePath
        "line": line if type(line) is int else 0,
        "function": clean_text(text_of(function or ""), 256),
    }
    return head, b', "source": %b, "extra": ' % _dumps(source)


def _call_site(name: str, level: int, path: str, line: int, function: str) -> tuple[bytes, bytes]:
    return _site(logging.getLevelName(level), name, path, line, function)


def _encoded(text: str, limit: int) -> bytes:
    """`text` as a JSON string, masked and cut."""
    if len(text) <= _SHORT:
        try:
            return _dumps(mask_text(text))
        except TypeError:  # a lone surrogate
            pass
    return _dumps(clean_text(text, limit))


def _fields(own: dict[str, Any] | None, limits: Limits) -> bytes:
    """The LogContext's fields and those of the call, ``own``."""
    frame = current_frame()
    if frame is None:
        return b"{}" if own is None else _encoded_fields(own, limits)
    if own is not None:
        return _encoded_fields({**frame.fields, **own}, limits)
    secrets = registered_secrets()
    if frame.encoded is not None and frame.masked_by is secrets and limits is LIMIT_STEPS[0]:
        return frame.encoded
    encoded = _encoded_fields(frame.fields, limits)
    if limits is LIMIT_STEPS[0] and all(type(value) in _PLAIN for value in frame.fields.values()):
        # What can change after the block was entered is read again for each line
        frame.encoded, frame.masked_by = encoded, secrets
    return encoded


def _encoded_fields(fields: dict[str, Any], limits: Limits) -> bytes:
    if len(fields) <= 50 and limits is LIMIT_STEPS[0]:  # with tighter ones, short fields are too long together
        for key, value in fields.items():
            kind = type(value)
            if type(key) is not str or (kind is not str and kind not in _PLAIN):
                break
            if kind is str and (len(value) > _SHORT or mask_text(value) is not value or key_names_secret(key)):
                break
        else:
            try:
                return _dumps(fields)
            except TypeError:  # a lone surrogate, an integer past 64 bits, a key that is no str
                pass
    return _dumps(Sanitizer(limits).fields(fields))


def _span(telemetry: Any) -> bytes:
    """The ids of the active OpenTelemetry span. `telemetry` is the module, which somebody else has imported."""
    with contextlib.suppress(Exception):  # border: a half-imported or foreign module under that name
        context = telemetry.get_current_span().get_span_context()
        if context.is_valid:
            return b', "trace_id": "%032x", "span_id": "%016x"' % (context.trace_id, context.span_id)
    return b""
