"""From a logging call to a record that never raised: `extra=` of any name, and any arguments.

The standard `Logger.makeRecord` raises KeyError into the caller where `extra` has a key like `name` or `message`, and
LogRecord runs the arguments' own code. `install_record_maker` replaces that one method on `logging.Logger`; loggers
made earlier, and third parties' own, are covered too. The record factory stays whatever the application set.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Mapping
from logging import LogRecord
from typing import Any

from logconf.context import get_correlation_id
from logconf.sanitize import ForeignCode, text_of

#: Where a record carries its `extra=` whole; the attributes of the same names are there for other handlers.
EXTRA = "_logconf_extra"

_PLAIN_RECORD = logging.makeLogRecord({})
#: The attributes every record has, on this Python; `taskName` is new in 3.12.
RECORD_ATTRIBUTES = frozenset(_PLAIN_RECORD.__dict__) | {"message", "asctime", "taskName", EXTRA}
_PLAIN_SIZE = len(_PLAIN_RECORD.__dict__)
_NEWER_ATTRIBUTES = {"taskName": None} if hasattr(_PLAIN_RECORD, "taskName") else {}
_STARTED = _PLAIN_RECORD.created - _PLAIN_RECORD.relativeCreated / 1000
_new_record = LogRecord.__new__
_PLAIN_TYPES = frozenset({str, int, float, bool, type(None)})


class _FilterID(str):
    """The correlation ID that `CorrelationIDFilter` put on a record, told apart from a user's field of that name."""

    __slots__ = ()


class CorrelationIDFilter(logging.Filter):
    """Puts the correlation ID on each record as `record.correlation_id`, for formats of the application's own.

    Handlers of `configure_structured_logging` need no filter. Put it on a handler whose records travel to another
    thread (`QueueHandler`): the line then shows the ID of where it was logged. Lets every record pass.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the attribute, unless the call gave a field of that name itself."""
        if "correlation_id" not in record.__dict__:
            record.correlation_id = _FilterID(get_correlation_id())
        return True


def filtered_correlation_id(record: logging.LogRecord) -> str | None:
    """The ID a `CorrelationIDFilter` left on the record, or None."""
    value = record.__dict__.get("correlation_id")
    return value if type(value) is _FilterID else None


def extra_of(record: logging.LogRecord) -> dict[str, Any] | None:
    """The fields of the call's `extra=`, or None where there are none."""
    attributes = record.__dict__
    extra = attributes.get(EXTRA)
    if extra is not None:
        return extra  # type: ignore[no-any-return]
    if len(attributes) <= _PLAIN_SIZE + (type(attributes.get("correlation_id")) is _FilterID):
        return None
    found = {
        name: value
        for name, value in attributes.items()
        if name not in RECORD_ATTRIBUTES and type(value) is not _FilterID
    }
    return found or None


def message_of(record: logging.LogRecord) -> str:
    """The message with its arguments; where they do not fit, the template and the arguments side by side."""
    template, arguments = record.msg, record.args
    if type(template) is str and type(arguments) is tuple and type(record) is LogRecord:
        if not arguments:
            return template
        if _PLAIN_TYPES.issuperset(map(type, arguments)):  # no foreign code can run: most calls by far
            try:
                return template % arguments
            except Exception:  # noqa: BLE001, S110 - border: wrong arguments, which are shown below
                pass
    with ForeignCode():
        message: object = record.getMessage()
        return message if type(message) is str else text_of(message)
    return f"{text_of(template)[:8192]} [arguments: {_arguments(arguments)}]"


def _arguments(arguments: object) -> str:
    values = arguments if isinstance(arguments, tuple) else (arguments,)
    return ", ".join(text_of(value, repr)[:1024] for value in values[:20])


def install_record_maker() -> None:
    """Make `extra=` and arguments safe on every logger of the process. Doing it again changes nothing."""
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
    if factory is LogRecord and not (logging.logThreads or logging.logProcesses or logging.logMultiprocessing):
        record = _new_record(LogRecord)
        record.__dict__ = _attributes(name, level, fn, lno, msg, args, exc_info, func, sinfo)
        if extra is not None:
            _attach(record, extra)
        return record
    try:
        record = factory(name, level, fn, lno, msg, args, exc_info, func, sinfo)
    except Exception:  # noqa: BLE001 - border: LogRecord asks the arguments whether they are a mapping
        text = f"{text_of(msg)[:8192]} [arguments: {_arguments(args)}]"
        record = factory(name, level, fn, lno, text, (), exc_info, func, sinfo)
    if extra is not None:
        _attach(record, extra)
    return record


def _attributes(
    name: str,
    level: int,
    path: str,
    line: int,
    msg: object,
    args: Any,
    exc_info: Any,
    function: str | None,
    stack: str | None,
) -> dict[str, Any]:
    """What `LogRecord.__init__` sets, without its look-ups of thread and process and with the file's names cached."""
    if args and len(args) == 1 and type(args[0]) not in _PLAIN_TYPES:
        args = _single_argument(args)
    created = time.time()
    file = _file_names(path)
    return {
        "name": name,
        "msg": msg,
        "args": args,
        "levelname": logging.getLevelName(level),
        "levelno": level,
        "pathname": path,
        "filename": file[0],
        "module": file[1],
        "exc_info": exc_info,
        "exc_text": None,
        "stack_info": stack,
        "lineno": line,
        "funcName": function,
        "created": created,
        "msecs": int(created % 1 * 1000) + 0.0,
        "relativeCreated": (created - _STARTED) * 1000,
        "thread": None,
        "threadName": None,
        "processName": None,
        "process": None,
        **_NEWER_ATTRIBUTES,
    }


def _single_argument(args: tuple[object, ...]) -> object:
    """`logger.info("%(a)d", {"a": 1})`: a mapping alone is the arguments."""
    try:
        only = args[0]
        return only if isinstance(only, Mapping) and only else args
    except Exception:  # noqa: BLE001 - border: the argument's own __class__, __bool__ or __len__
        return args


@functools.lru_cache(maxsize=1024)
def _file_names(path: str) -> tuple[str, str]:
    name = os.path.basename(path)  # noqa: PTH119 - str in, str out
    return name, os.path.splitext(name)[0]  # noqa: PTH122


def _attach(record: logging.LogRecord, extra: object) -> None:
    if type(extra) is dict and RECORD_ATTRIBUTES.isdisjoint(extra):
        record.__dict__.update(extra)
        record.__dict__[EXTRA] = extra.copy()
        return
    try:
        fields = dict(extra)  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001 - border: `extra` may be no mapping, or one that raises
        fields = {"extra": extra}
    attributes = record.__dict__
    for key, value in fields.items():
        if type(key) is str and key not in RECORD_ATTRIBUTES and key not in attributes:
            attributes[key] = value
    attributes[EXTRA] = fields
