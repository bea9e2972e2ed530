"""From a logging call to a record that never raised: `extra=` of any name, and any arguments.

The standard `Logger.makeRecord` raises KeyError into the caller where `extra` has a key like `name` or `message`, and
LogRecord runs the arguments' own code. `install_record_maker` replaces that one method on `logging.Logger`; loggers
made earlier, and third parties' own, are covered too. The record factory stays whatever the application set.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from logconf.context import get_correlation_id
from logconf.sanitize import text_of

#: Where a record carries its `extra=` whole; the attributes of the same names are there for other handlers.
EXTRA = "_logconf_extra"

_PLAIN_RECORD = logging.makeLogRecord({})
#: The attributes every record has, on this Python; `taskName` is new in 3.12.
RECORD_ATTRIBUTES = frozenset(_PLAIN_RECORD.__dict__) | {"message", "asctime", "taskName", EXTRA}
_PLAIN_SIZE = len(_PLAIN_RECORD.__dict__)


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
    if len(attributes) <= _PLAIN_SIZE:
        return None
    found = {
        name: value
        for name, value in attributes.items()
        if name not in RECORD_ATTRIBUTES and type(value) is not _FilterID
    }
    return found or None


def message_of(record: logging.LogRecord) -> str:
    """The message with its arguments; where they do not fit, the template and the arguments side by side."""
    template = record.msg
    try:
        if type(template) is str and not record.args:
            return template
        message: object = record.getMessage()
        if type(message) is str:
            return message
        return text_of(message)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - border: arguments' own code, and wrong arguments
        return f"{text_of(template)[:8192]} [arguments: {_arguments(record.args)}]"


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
    try:
        record = factory(name, level, fn, lno, msg, args, exc_info, func, sinfo)
    except Exception:  # noqa: BLE001 - border: LogRecord asks the arguments whether they are a mapping
        text = f"{text_of(msg)[:8192]} [arguments: {_arguments(args)}]"
        record = factory(name, level, fn, lno, text, (), exc_info, func, sinfo)
    if extra is not None:
        _attach(record, extra)
    return record


def _attach(record: logging.LogRecord, extra: object) -> None:
    try:
        fields = dict(extra)  # type: ignore[call-overload]
    except Exception:  # noqa: BLE001 - border: `extra` may be no mapping, or one that raises
        fields = {"extra": extra}
    attributes = record.__dict__
    for key, value in fields.items():
        if type(key) is str and key not in RECORD_ATTRIBUTES and key not in attributes:
            attributes[key] = value
    attributes[EXTRA] = fields
