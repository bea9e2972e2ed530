"""From a logging call to a record that never raised: `extra=` of any name, and any arguments.

The standard `Logger.makeRecord` raises KeyError into the caller where `extra` has a key like `name` or `message`, and
LogRecord runs the arguments' own code. `install_record_maker` replaces that one method on `logging.Logger`; loggers
made earlier, and third parties' own, are covered too. The record factory stays whatever the application set.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Container, Mapping
from contextlib import suppress
from logging import LogRecord
from types import CodeType, FrameType
from typing import Any

from logconf.context import current_correlation_id, get_correlation_id
from logconf.sanitize import text_of

#: Where a record carries its `extra=` whole; the attributes of the same names are there for other handlers.
EXTRA = "_logconf_extra"

_PLAIN_RECORD = logging.makeLogRecord({})
#: The attributes every record has, on this Python; `taskName` is new in 3.12.
RECORD_ATTRIBUTES = frozenset(_PLAIN_RECORD.__dict__) | {"message", "asctime", "taskName", EXTRA}
_PLAIN_SIZE = len(_PLAIN_RECORD.__dict__)
_WITHOUT_TASK = {"taskName": None} if hasattr(_PLAIN_RECORD, "taskName") else {}
_WITHOUT_PLACE = dict.fromkeys(("thread", "threadName", "process", "processName"))
_STARTED = _PLAIN_RECORD.created - _PLAIN_RECORD.relativeCreated / 1000
_new_record = LogRecord.__new__
_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})


class _FilterID(str):
    """The correlation ID that `CorrelationIDFilter` put on a record, as opposed to a user's field of that name."""

    __slots__ = ()


_filter_id = functools.lru_cache(maxsize=1024)(_FilterID)


class CorrelationIDFilter(logging.Filter):
    """Puts the correlation ID on each record as `record.correlation_id`, for formats of the application's own.

    Handlers of `configure_structured_logging` need no filter. Put it on a handler that passes records to another thread
    (`QueueHandler`): the line then has the ID of the place where it was logged. Lets every record pass.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attribute, unless the call gave a field of that name itself."""
        attributes = record.__dict__
        if "correlation_id" not in attributes:
            attributes["correlation_id"] = _filter_id(current_correlation_id() or get_correlation_id())
        return True


def correlation_id_of(record: logging.LogRecord) -> str:
    """The ID that a `CorrelationIDFilter` put on the record, else that of this task."""
    value = record.__dict__.get("correlation_id")
    return value if type(value) is _FilterID else current_correlation_id() or get_correlation_id()


def extra_of(record: logging.LogRecord) -> dict[str, Any] | None:
    """The fields of the call's `extra=`, or None where there are none."""
    attributes = record.__dict__
    if EXTRA in attributes:
        return attributes[EXTRA]  # type: ignore[no-any-return]
    if len(attributes) <= _PLAIN_SIZE + (type(attributes.get("correlation_id")) is _FilterID):
        return None
    found = {
        name: value
        for name, value in attributes.items()
        if name not in RECORD_ATTRIBUTES and type(value) is not _FilterID
    }
    return found or None


def message_of(record: logging.LogRecord) -> str:
    """The message with its arguments; if they do not fit, the template and the arguments side by side."""
    template, arguments = record.msg, record.args
    message: object
    try:
        if type(record) is LogRecord and type(template) is str and type(arguments) is tuple:  # most calls by far
            message = template % arguments if arguments else template
        else:
            message = record.getMessage()
        return message if type(message) is str else text_of(message)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: ASYNC103, BLE001 - border: the template's and the arguments' own code, SystemExit too
        return f"{text_of(template)[:8192]} [arguments: {_arguments(arguments)}]"  # noqa: ASYNC104 - awaits nothing


def _arguments(arguments: object) -> str:
    values = arguments if isinstance(arguments, tuple) else (arguments,)
    return ", ".join(text_of(value, repr)[:1024] for value in values[:20])


def install_record_maker() -> None:
    """Make `extra=` and arguments safe on every logger of the process. Repeating this changes nothing."""
    logging.Logger.makeRecord = _make_record  # type: ignore[method-assign]


def _make_record(
    self: logging.Logger,
    name: str,
    level: int,
    fn: str,
    lno: int,
    msg: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    extra: Mapping[str, object] | None = None,
    sinfo: str | None = None,
) -> logging.LogRecord:
    factory = logging.getLogRecordFactory()
    if factory is LogRecord:
        record = _new_record(LogRecord)
        attributes = record.__dict__ = _of_call_site(name, level, fn, lno, func).copy()
        attributes["msg"] = msg
        attributes["args"] = _single_argument(args) if args and len(args) == 1 else args
        attributes["exc_info"] = exc_info
        attributes["stack_info"] = sinfo
        attributes["created"] = created = time.time()
        attributes["msecs"] = created * 1000 // 1 % 1000
        attributes["relativeCreated"] = (created - _STARTED) * 1000
        _put_place(attributes)
    else:
        try:
            record = factory(name, level, fn, lno, msg, args, exc_info, func, sinfo)
        except Exception:  # noqa: BLE001 - border: LogRecord asks the arguments whether they are a mapping
            text = f"{text_of(msg)[:8192]} [arguments: {_arguments(args)}]"
            record = factory(name, level, fn, lno, text, (), exc_info, func, sinfo)
    if extra is not None:
        _attach(record, extra)
    return record


@functools.lru_cache(maxsize=4096)
def _of_call_site(*site: Any) -> dict[str, Any]:
    """The attributes of a record, with those in their places that are the same for each line of a call site."""
    name, level, path, line, function = site
    attributes = LogRecord(name, level, path, line, "", (), None, function).__dict__
    return attributes | _WITHOUT_PLACE | _WITHOUT_TASK


def _put_place(attributes: dict[str, Any]) -> None:
    """Put thread, process and task on a record, as `LogRecord` does: the format of a host may show them."""
    if logging.logThreads:
        attributes["thread"] = threading.get_ident()
        attributes["threadName"] = threading.current_thread().name
    if logging.logProcesses:
        attributes["process"] = os.getpid()
    if logging.logMultiprocessing:
        attributes["processName"] = "MainProcess"
        if (multiprocessing := sys.modules.get("multiprocessing")) is not None:
            with suppress(Exception):  # border: it may be half imported
                attributes["processName"] = multiprocessing.current_process().name
    if sys.version_info >= (3, 12) and logging.logAsyncioTasks and (asyncio := sys.modules.get("asyncio")) is not None:
        with suppress(Exception):  # border: there is no task, or no loop
            attributes["taskName"] = asyncio.current_task().get_name()


def _single_argument(args: tuple[object, ...]) -> object:
    """`logger.info("%(a)d", {"a": 1})`: a mapping alone is the arguments."""
    only = args[0]
    if type(only) in _PLAIN_TYPES:
        return args
    try:
        return only if isinstance(only, Mapping) and only else args
    except Exception:  # noqa: BLE001 - border: the argument's own __class__, __bool__ or __len__
        return args


def _attach(record: logging.LogRecord, extra: object) -> None:
    try:
        if type(extra) is dict and RECORD_ATTRIBUTES.isdisjoint(extra):
            record.__dict__.update(extra)
            record.__dict__[EXTRA] = extra.copy()
            return
        fields = dict(extra)  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001 - border: `extra` may be no mapping, or it or a key of it may raise
        fields = {"extra": extra}
    attributes = record.__dict__
    for key, value in fields.items():
        if type(key) is str and key not in RECORD_ATTRIBUTES and key not in attributes:
            attributes[key] = value
    attributes[EXTRA] = fields


# Which place a line reports from, where a helper words and logs it for many places (A6).
#
# The helper notes the place while the change is made, and gives it to :func:`log_from` when the line is written, which
# may be later and from another thread.

Origin = tuple[CodeType, int]
"""A function's code and the line in it."""


def find_origin(helpers: Container[str]) -> Origin | None:
    """The nearest caller whose source file is not in ``helpers`` (values of ``__file__``); None: there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in helpers:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lineno)


def log_from(
    origin: Origin | None,
    logger: logging.Logger,
    level: int,
    message: str,
    *,
    extra: Mapping[str, Any],
    exc_info: BaseException | None = None,
) -> None:
    """Log ``message`` so that its line names ``origin`` as its source; None: the caller."""
    if not logger.isEnabledFor(level):
        return
    if origin is None:
        logger.log(level, message, extra=dict(extra), exc_info=exc_info, stacklevel=2)
        return
    code, line = origin
    info = None if exc_info is None else (type(exc_info), exc_info, exc_info.__traceback__)
    name = code.co_name
    record = logger.makeRecord(
        logger.name, level, code.co_filename, line, message, (), info, func=name, extra=dict(extra)
    )
    logger.handle(record)
