"""The short way from a logging call to its line: without a record, if only our handler would see it.

A `LogRecord`, and its way along loggers and handlers, is a third of what a line costs. `install_direct_calls` replaces
`Logger._log`, the one method through which all calls go. It renders the line at once if a record could make no
difference: a plain logger without filters, only our handler on its way, no patched method or record factory, plain
arguments, no exception, below ERROR. Every other call goes the standard way, as if nothing had been replaced.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from logging import Logger, LogRecord
from types import CodeType, FunctionType
from typing import Any, cast

from logconf.handler import StructuredHandler
from logconf.records import install_record_maker
from logconf.render import JsonRenderer

_PLAIN_LOGGERS = frozenset({Logger, logging.RootLogger})
_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})
_ERROR = logging.ERROR

_standard_log = Logger._log
_find_caller, _handle, _call_handlers, _filter = Logger.findCaller, Logger.handle, Logger.callHandlers, Logger.filter
_PARAMETERS = ("self", "level", "msg", "args", "exc_info", "extra", "stack_info", "stacklevel")
_make_record: Callable[..., LogRecord] = Logger.makeRecord


def install_direct_calls() -> None:
    """Let calls go the short way, now or once our handler is installed. Repeating this changes nothing.

    If the method is not the one that we know, because of another Python or another library, it is not replaced.
    """
    global _make_record
    install_record_maker()
    _make_record = Logger.makeRecord
    if Logger._log is _standard_log and _standard_log.__code__.co_varnames[: len(_PARAMETERS)] == _PARAMETERS:
        Logger._log = _direct_log  # type: ignore[method-assign]


@functools.lru_cache(maxsize=4096)
def _is_internal(path: str) -> bool:
    """Whether the search for a caller skips code of this file, as `Logger.findCaller` does."""
    return os.path.normcase(path) == logging._srcfile or ("importlib" in path and "_bootstrap" in path)


def _way(logger: Logger, level: int) -> tuple[JsonRenderer, StructuredHandler] | None:
    """The renderer, if nothing else on the way would see a record; None: use the standard way."""
    if (
        type(logger) not in _PLAIN_LOGGERS
        or logger.filters
        or logger.disabled
        or Logger.callHandlers is not _call_handlers
        or Logger.handle is not _handle
        or Logger.makeRecord is not _make_record
        or Logger.findCaller is not _find_caller
        or Logger.filter is not _filter
        or logging._logRecordFactory is not LogRecord  # type: ignore[attr-defined]
    ):
        return None
    found: logging.Handler | None = None
    above: Logger | None = logger
    while above is not None:
        if above.handlers:
            if found is not None or len(above.handlers) != 1:
                return None
            found = above.handlers[0]
        above = above.parent if above.propagate else None
    if type(found) is not StructuredHandler or found.level > level or not found.has_own_filters_only():
        return None
    render = found.renderer
    return (render, found) if type(render) is JsonRenderer else None


def _are_plain(args: object, extra: object) -> bool:
    if type(args) is not tuple or (extra is not None and type(extra) is not dict):
        return False
    for value in args:  # noqa: SIM110 - a generator would cost as much as the rest of the check
        if type(value) not in _PLAIN_TYPES:
            return False
    return True


def _log(
    self: Logger,
    level: int,
    msg: object,
    args: Any,
    exc_info: Any = None,
    extra: Any = None,
    stack_info: bool = False,
    stacklevel: int = 1,
) -> None:
    if exc_info is not None and isinstance(exc_info, BaseException):  # which may be false, or may not be asked
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    is_plain = not exc_info and not stack_info and stacklevel == 1 and level < _ERROR and type(msg) is str
    if is_plain and (way := _way(self, level)) is not None and _are_plain(args, extra):
        frame = sys._getframe(1)
        while _is_internal(frame.f_code.co_filename) and frame.f_back is not None:
            frame = frame.f_back
        code = frame.f_code
        site = (self.name, level, code.co_filename, frame.f_lineno, code.co_name)
        render, handler = way
        if (line := render.line_of_call(site, cast("str", msg), args, extra)) is not None:
            for writer in handler.writers:
                writer.put(line, level)
            return
    _standard_log(self, level, msg, args, exc_info, extra, stack_info, stacklevel)


def _as_standard(function: Callable[..., None]) -> Callable[..., None]:
    """The function as if it were code of the standard library's file, so that a search for the caller skips its
    frame (A6).
    """
    code: CodeType = cast("FunctionType", function).__code__.replace(co_filename=_standard_log.__code__.co_filename)
    return FunctionType(code, globals(), function.__name__, cast("FunctionType", function).__defaults__)


_direct_log = _as_standard(_log)
