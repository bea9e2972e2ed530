"""Configuring: the root logger gets one handler with stdout, a file, or both behind it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Final, TextIO

from logconf.context import current_correlation_id, set_correlation_id
from logconf.correlation import JOB_VARIABLE
from logconf.direct import install_direct_calls
from logconf.handler import Renderer, StructuredHandler, drain_at_exit, installed_handler
from logconf.records import CorrelationIDFilter
from logconf.render import JsonRenderer
from logconf.sinks import DescriptorSink, FileSink, Sink, StreamSink
from logconf.text_renderer import TextRenderer
from logconf.writer import QUEUE_BYTES, Statistics, Writer

LEVEL_VARIABLE = "SIMPLETUNER_LOG_LEVEL"
FORMAT_VARIABLE = "SIMPLETUNER_LOG_FORMAT"
FILE_VARIABLE = "SIMPLETUNER_LOG_FILE"

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
QUIET_LOGGERS = ("httpx", "httpcore", "hypercorn.access")
"""Loggers that write a line for every request; they are set to WARNING."""

OUR_LOGGERS = ("actors", "supervision", "logconf")
"""Loggers that get a `CorrelationIDFilter`, like the root logger and our handler.

Handlers that a host has put on them then have `record.correlation_id`, too.
"""

_logger = logging.getLogger("logconf")


class _Stdout:
    """Stands for `sys.stdout` as it is when logging is configured."""


STDOUT: Final = _Stdout()

Path = str | os.PathLike[str]
Stream = TextIO | Path | _Stdout | None


def get_logger(name: str) -> logging.Logger:
    """The standard library's logger of this name, unchanged."""
    return logging.getLogger(name)


def configure_structured_logging(
    level: str | int = "INFO",
    json_output: bool = True,
    log_file: Path | None = None,
    include_stack_info: bool = False,
    *,
    stream: Stream = STDOUT,
    max_bytes: int = 0,
    backup_count: int = 5,
    queue_bytes: int = QUEUE_BYTES,
) -> None:
    """Send every logger's lines to stdout, and to `log_file` in addition, without ever blocking the caller.

    In a job of Greenroom, which finds its correlation ID in GREENROOM_CORRELATION_ID, the calling task (and those that
    it starts) gets that ID, unless it has one: its lines continue the job's trail.

    Calling it again replaces what was configured before; handlers of others stay, except plain ones that write to
    stdout or stderr too and would double each line.

    Args:
        level: a name (any case) or number; the root logger's level.
        json_output: one JSON object a line; False: the text form.
        log_file: path of a file to append to; its directory is made. If it cannot be opened, a WARNING says so and
            logging goes on to `stream` (to stdout, if nothing else is left).
        include_stack_info: add the caller's stack to lines of ERROR and above.
        stream: where lines go beside the file; a path: to that file in stdout's place (a live display has stdout);
            None: nowhere.
        max_bytes: rotate the file before it would pass this size; 0: never (an external logrotate is followed anyway).
        backup_count: how many rotated files are kept, `NAME.1` being the newest.
        queue_bytes: bound of what may wait for one sink; beyond it lines are dropped and counted.

    Raises:
        ValueError: `level` is not a level.
    """
    number = _level_number(level)
    previous = installed_handler()
    renderer = JsonRenderer if json_output else TextRenderer
    render = renderer(include_stack_info=include_stack_info)
    sinks, failures = _open_sinks(stream, log_file, max_bytes, backup_count)
    report = _drop_report(render)
    handler = StructuredHandler(render, [Writer(sink, report, queue_bytes=queue_bytes) for sink in sinks])
    _install(handler, number, previous)
    drain_at_exit(handler, reopen_on_hangup=any(isinstance(sink, FileSink) for sink in sinks))
    _continue_trail()
    for failure in failures:
        _logger.warning(
            "The log file cannot be opened, logging goes on without it",
            extra={"log_file": os.fspath(failure.filename), "error": failure.strerror},
        )


def _continue_trail() -> None:
    given = os.environ.get(JOB_VARIABLE)
    if given is not None and current_correlation_id() is None:
        set_correlation_id(given)


def _open_sinks(
    stream: Stream, log_file: Path | None, max_bytes: int, backup_count: int
) -> tuple[list[Sink], list[OSError]]:
    """The sinks, `stream` first, and why files could not be opened. There is always one sink, if there is a stdout."""
    sinks: list[Sink] = []
    failures: list[OSError] = []
    files = [file for file in (stream, log_file) if isinstance(file, (str, os.PathLike))]
    if not isinstance(stream, (str, os.PathLike)):
        out = sys.stdout if isinstance(stream, _Stdout) else stream
        if out is not None:  # pythonw and daemons may have no stdout
            sinks.append(_sink_of(out))
    for file in {_absolute(file): file for file in files}.values():  # one file named twice is one
        try:
            sinks.append(FileSink(file, max_bytes=max_bytes, backup_count=backup_count))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            failures.append(
                OSError(getattr(error, "errno", None), getattr(error, "strerror", None) or str(error), file)
            )
    if failures and not sinks and sys.stdout is not None:
        sinks.append(_sink_of(sys.stdout))
    return sinks, failures


def _absolute(file: str | os.PathLike[str]) -> str:
    try:
        return os.path.abspath(file)  # noqa: PTH100 - a path of a NUL is one, too
    except OSError:  # the working directory was removed
        return os.fspath(file)


def init_from_env(environ: Mapping[str, str] | None = None, *, stream: Stream = STDOUT) -> None:
    """Configure logging from SIMPLETUNER_LOG_LEVEL (default INFO), SIMPLETUNER_LOG_FORMAT (`json`, the default, or
    `text`) and SIMPLETUNER_LOG_FILE (optional).

    For an unknown level or format there is a WARNING with the variable and the value, and the default is used.
    `environ`: the process's by default; `stream`: as in `configure_structured_logging`.
    """
    env = os.environ if environ is None else environ
    raw_level = env.get(LEVEL_VARIABLE, "").strip() or "INFO"
    raw_format = env.get(FORMAT_VARIABLE, "").strip() or "json"
    level = raw_level.upper() if raw_level.upper() in LEVELS else "INFO"
    text = raw_format.lower() == "text"
    configure_structured_logging(level, not text, env.get(FILE_VARIABLE, "").strip() or None, stream=stream)
    if raw_level.upper() not in LEVELS:
        _warn_unknown(LEVEL_VARIABLE, raw_level, "INFO", LEVELS)
    if raw_format.lower() not in {"json", "text"}:
        _warn_unknown(FORMAT_VARIABLE, raw_format, "json", ("json", "text"))


def _warn_unknown(variable: str, value: str, default: str, known: tuple[str, ...]) -> None:
    extra = {"variable": variable, "given": value}
    text = "%s=%r is not known, using %s (one of %s)"
    _logger.warning(text, variable, value[:100], default, ", ".join(known), extra=extra)


def flush(seconds: float = 2.0) -> None:
    """Wait until every line logged before has been written, at most `seconds` in all. Blocks the thread."""
    handler = installed_handler()
    if handler is not None:
        handler.flush(seconds)


def statistics() -> list[Statistics]:
    """Counters of the configured sinks, stdout first; empty where nothing is configured."""
    handler = installed_handler()
    return handler.statistics() if handler is not None else []


def _level_number(level: str | int) -> int:
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    number = logging.getLevelNamesMapping().get(str(level).strip().upper())
    if number is None:
        raise ValueError(f"unknown log level {level!r}: one of {', '.join(LEVELS)}, or a number")
    return number


def _sink_of(stream: TextIO) -> Sink:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return StreamSink(stream)
    with contextlib.suppress(OSError, ValueError):
        stream.flush()  # what was printed before comes before
    return DescriptorSink(descriptor)


def _install(handler: StructuredHandler, level: int, previous: StructuredHandler | None) -> None:
    root = logging.getLogger()
    install_direct_calls()
    logging.raiseExceptions = False  # other handlers' faults must not print into the log either
    for filtered in (root, *map(logging.getLogger, OUR_LOGGERS)):
        if not any(isinstance(one, CorrelationIDFilter) for one in filtered.filters):
            filtered.addFilter(CorrelationIDFilter())
    others = [
        one
        for one in root.handlers
        if one is not previous and not (type(one) is logging.StreamHandler and one.stream in (sys.stdout, sys.stderr))
    ]
    root.handlers = [*others, handler]  # in one step: no other thread's line goes to both, or to none
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    if previous is not None:
        previous.shut_down()


def _drop_report(render: Renderer) -> Callable[[int, int], bytes]:
    """Makes the line that is written in place of dropped lines."""

    def report(dropped: int, urgent: int) -> bytes:
        extra = {"dropped": dropped, "dropped_warning_and_above": urgent}
        text = "Dropped %d log lines, the sink did not take them in time"
        return render(_logger.makeRecord("logconf", logging.WARNING, __file__, 0, text, (dropped,), None, "put", extra))

    return report
