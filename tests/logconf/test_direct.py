"""The short way of a log call: the same line, and only where no record is missed."""

# ruff: noqa: G101, PLE1206 - some calls are wrong on purpose

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logconf import CorrelationIDFilter, LogContext, configure_structured_logging, flush, get_logger, set_correlation_id
from logconf.handler import StructuredHandler, installed_handler

logger = get_logger("tests.direct")
Patch = pytest.MonkeyPatch
HERE = Path(__file__).name


class Kept(logging.Handler):
    """A handler that somebody else brought."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Own(logging.Logger):
    """A logger of a library's own class, which finds callers in its own way."""

    def findCaller(self, *_: Any, **__: Any) -> tuple[str, int, str, None]:  # noqa: N802 - the standard library's name
        return "own.py", 7, "own", None


def configured(monkeypatch: Patch, tmp_path: Path) -> list[logging.LogRecord]:
    """Logging into a file with no handler besides, pytest's included; the records that went the standard way."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_structured_logging("DEBUG", log_file=tmp_path / "log", stream=None)
    set_correlation_id("abc123")
    seen: list[logging.LogRecord] = []
    emit = StructuredHandler.emit

    def counted(handler: StructuredHandler, record: logging.LogRecord) -> None:
        seen.append(record)
        emit(handler, record)

    monkeypatch.setattr(StructuredHandler, "emit", counted)
    return seen


def lines(path: Path) -> list[dict[str, Any]]:
    flush(10.0)
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in found:
        del line["timestamp"]
    return found


def through_a_helper(log: logging.Logger) -> None:
    log.info("helped", stacklevel=2)


CALLS: list[Callable[[logging.Logger], None]] = [
    lambda log: log.info("plain"),
    lambda log: log.debug("%d%% of %s", 3, "all", extra={"attempt": 1, "job_id": "x"}),
    lambda log: log.warning("secret token=abcdefgh1234", extra={"hf_token": "hf_123456789", "nested": {"a": [1]}}),
    lambda log: log.info("named like attributes", extra={"name": "n", "message": "m", "args": 1, "correlation_id": 2}),
    lambda log: log.info("キュー\u2028ü\x00", extra={"text": "キュー"}),
    lambda log: log.info("too few %s %s", 1),
    lambda log: log.info("a mapping %(a)s", {"a": 1}),
    lambda log: log.info("an object %s", Path("/x")),
    lambda log: log.info(KeyError("no text")),
    lambda log: log.info("x" * 200_000, extra={"y": "y" * 100_000}),
    lambda log: log.log(25, "a level without a name"),
    lambda log: logging.LoggerAdapter(log, {"by": "adapter"}).info("adapted"),
    lambda log: log._log(20, "called directly", ()),
    lambda log: through_a_helper(log),
    lambda log: log.error("an error"),
    lambda log: log.info("a stack", stack_info=True),
    lambda log: log.info("lone \ud800", extra={"lone": "\ud800", "big": 1 << 70, "nan": float("nan")}),
    lambda log: log.info("no extra", extra={}),
    lambda log: log.info("not a mapping", extra=3),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("call", CALLS)
def test_the_line_is_the_same_on_both_ways(
    call: Callable[[logging.Logger], None], monkeypatch: Patch, tmp_path: Path
) -> None:
    """The standard way is forced by a filter that changes nothing."""
    configured(monkeypatch, tmp_path)
    with LogContext(provider="local"):
        for filters in ([], [CorrelationIDFilter()]):
            logger.filters = list(filters)
            call(logger)
    logger.filters = []
    first, second = lines(tmp_path / "log")
    assert first == second
    assert first["source"]["file"] == HERE
    assert first["correlation_id"] == "abc123"


def test_a_usual_call_makes_no_record(monkeypatch: Patch, tmp_path: Path) -> None:
    short = configured(monkeypatch, tmp_path)
    logger.info("Synced %d jobs", 3, extra={"attempt": 1})
    (line,) = lines(tmp_path / "log")
    assert (line["message"], line["extra"], short) == ("Synced 3 jobs", {"attempt": 1}, [])
    assert line["source"]["function"] == "test_a_usual_call_makes_no_record"


def other_handler(monkeypatch: Patch) -> list[logging.LogRecord]:
    monkeypatch.setattr(logger, "handlers", [kept := Kept()])
    return kept.records


def handler_at_the_root(monkeypatch: Patch) -> list[logging.LogRecord]:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers, kept := Kept()])
    return kept.records


def filter_of(filtered: Any, monkeypatch: Patch) -> list[logging.LogRecord]:
    records: list[logging.LogRecord] = []

    def seen(record: logging.LogRecord) -> bool:
        records.append(record)
        return True

    monkeypatch.setattr(filtered, "filters", [*filtered.filters, seen])
    return records


def record_factory(monkeypatch: Patch) -> list[logging.LogRecord]:
    records: list[logging.LogRecord] = []

    def made(*arguments: Any, **named: Any) -> logging.LogRecord:
        records.append(logging.LogRecord(*arguments, **named))
        return records[-1]

    monkeypatch.setattr(logging, "_logRecordFactory", made)
    return records


def patched(name: str, monkeypatch: Patch) -> list[logging.LogRecord]:
    """As Sentry does with ``callHandlers``, and others with other methods."""
    records: list[logging.LogRecord] = []
    standard = getattr(logging.Logger, name)

    def instead(self: logging.Logger, *arguments: Any, **named: Any) -> Any:
        records.append(arguments[0])
        return standard(self, *arguments, **named)

    monkeypatch.setattr(logging.Logger, name, instead)
    return records


@pytest.mark.parametrize(
    "arrange",
    [
        other_handler,
        handler_at_the_root,
        lambda patch: filter_of(logger, patch),
        lambda patch: filter_of(installed_handler(), patch),
        record_factory,
        *(lambda patch, name=name: patched(name, patch) for name in ("callHandlers", "handle", "filter", "makeRecord")),
        lambda patch: patched("findCaller", patch),
    ],
)
def test_whoever_wants_to_see_records_sees_them(
    arrange: Callable[[Patch], list[Any]], monkeypatch: Patch, tmp_path: Path
) -> None:
    """The next call already: nothing of it is remembered."""
    short = configured(monkeypatch, tmp_path)
    logger.info("before")
    assert short == []
    with monkeypatch.context() as patch:
        records = arrange(patch)
        logger.info("seen")
        assert (bool(records), len(short)) == (True, 1)
    logger.info("after")
    assert [line["message"] for line in lines(tmp_path / "log")] == ["before", "seen", "after"]
    assert len(short) == 1


def test_what_is_refused_gets_no_line(monkeypatch: Patch, tmp_path: Path) -> None:
    """A disabled logger, a handler's level, a logger that propagates nothing."""
    configured(monkeypatch, tmp_path)
    for name, value in (("disabled", True), ("propagate", False), ("handlers", [logging.NullHandler()])):
        with monkeypatch.context() as patch:
            patch.setattr(logger, name, value)
            if name == "handlers":
                patch.setattr(logger, "propagate", False)
            logger.info("refused: %s", name)
    with monkeypatch.context() as patch:
        patch.setattr(installed_handler(), "level", logging.WARNING)
        logger.info("below the handler's level")
    assert lines(tmp_path / "log") == []


def test_a_logger_of_another_class_finds_its_caller_itself(monkeypatch: Patch, tmp_path: Path) -> None:
    short = configured(monkeypatch, tmp_path)
    own = Own("tests.direct.own", logging.INFO)
    own.parent = logging.getLogger()
    own.info("mine")
    assert lines(tmp_path / "log")[0]["source"] == {"file": "own.py", "line": 7, "function": "own"}
    assert len(short) == 1
