"""The JSON line and the text line: fields, order, separators, types."""

from __future__ import annotations

import json
import logging
import re
import sys
import types
from typing import Any

import pytest

from logconf import LogContext, bind_correlation_id, get_logger
from logconf.records import RECORD_ATTRIBUTES, _make_record, install_record_maker
from logconf.render import MAX_LINE, JsonRenderer
from logconf.testing import capture_logs
from logconf.text_renderer import TextRenderer

KEYS = ["timestamp", "level", "logger", "message", "correlation_id", "source", "extra"]
logger = get_logger("tests.line")


def make(**attributes: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "jobs", "levelname": "INFO", "levelno": 20, "msg": "hello", **attributes})


def line_of(record: logging.LogRecord, *, include_stack_info: bool = False) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(JsonRenderer(include_stack_info=include_stack_info)(record))
    return parsed


def test_keys_come_in_the_promised_order() -> None:
    with capture_logs() as lines:
        logger.info("plain")
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("failed", stack_info=True)
    assert list(lines[0]) == KEYS
    assert list(lines[1]) == [*KEYS, "exception", "stack_info"]


def test_top_level_separators_are_what_the_manuals_grep_looks_for() -> None:
    with bind_correlation_id("abc123"):
        text = JsonRenderer()(make()).decode()
    assert '"correlation_id": "abc123", "source": {' in text
    assert text.startswith('{"timestamp": "')
    assert text.endswith('"extra": {}}\n')


def test_text_is_utf8_and_not_escaped() -> None:
    assert '"message": "キュー ✓"' in JsonRenderer()(make(msg="キュー ✓")).decode("utf-8")


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        (1705314600.0, "2024-01-15T10:30:00.000Z"),
        (1705314600.9999, "2024-01-15T10:30:00.999Z"),
        (1705314601.25, "2024-01-15T10:30:01.250Z"),
    ],
)
def test_timestamp_is_utc_with_milliseconds(created: float, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert line_of(make(created=created))["timestamp"] == shown


def test_timestamp_follows_a_clock_that_is_set_back() -> None:
    renderer = JsonRenderer()
    renderer(make(created=1705314600.0))
    assert b"2024-01-15T10:29:59.500Z" in renderer(make(created=1705314599.5))


def test_source_is_the_caller() -> None:
    with capture_logs() as lines:
        logger.info("here")
        expected = sys._getframe().f_lineno - 1
    assert lines[0]["source"] == {"file": "test_line.py", "line": expected, "function": "test_source_is_the_caller"}


def test_source_honours_stacklevel_and_adapters() -> None:
    def wrapper() -> None:
        logger.info("here", stacklevel=2)

    with capture_logs() as lines:
        wrapper()
        logging.LoggerAdapter(logger, {}).info("adapted")
    assert {line["source"]["function"] for line in lines} == {"test_source_honours_stacklevel_and_adapters"}


def test_extra_keeps_types_and_nesting() -> None:
    fields = {"cost": 2.5, "attempt": 3, "dry": False, "note": None, "tags": ["a", {"b": [1, 2]}], "name": "ü"}
    with capture_logs() as lines:
        logger.info("x", extra=fields)
    assert lines[0]["extra"] == fields


@pytest.mark.parametrize("key", sorted(RECORD_ATTRIBUTES | {"timestamp", "level", "logger", "extra", "source"}))
def test_a_field_of_any_name_stays_in_extra(key: str) -> None:
    """Neither raises, nor overwrites what the line has of that name."""
    with capture_logs() as lines, bind_correlation_id("the-id"):
        logger.info("the message", extra={key: "mine"})
        with LogContext(**{key: "mine"}):
            logger.info("the message")
    for line in lines:
        assert line["extra"] == {key: "mine"}
        assert (line["message"], line["logger"], line["level"]) == ("the message", "tests.line", "INFO")
        assert line["correlation_id"] == "the-id"


def test_fields_of_the_call_win_over_inner_and_inner_over_outer() -> None:
    with capture_logs() as lines, LogContext(a=1, b=1, c=1), LogContext(b=2, c=2):
        logger.info("x", extra={"c": 3})
        logger.info("y")
    assert lines[0]["extra"] == {"a": 1, "b": 2, "c": 3}
    assert lines[1]["extra"] == {"a": 1, "b": 2, "c": 2}


def test_mutable_context_values_are_read_when_the_line_is_made() -> None:
    seen: list[int] = []
    with capture_logs() as lines, LogContext(seen=seen):
        logger.info("x")
        seen.append(1)
        logger.info("y")
    assert [line["extra"]["seen"] for line in lines] == [[], [1]]


def test_attributes_set_by_filters_of_others_count_as_extra() -> None:
    record = make()
    record.request = 7
    assert line_of(record)["extra"] == {"request": 7}


def test_stack_info_is_added_to_errors_only_when_asked() -> None:
    with capture_logs(include_stack_info=True) as lines:
        logger.warning("w")
        logger.error("e")
    assert "stack_info" not in lines[0]
    stack = lines[1]["stack_info"]
    assert stack.startswith("Stack (most recent call last):\n")
    assert "test_stack_info_is_added_to_errors_only_when_asked" in stack.rstrip().splitlines()[-2]


def test_an_exception_that_is_already_text_is_kept() -> None:
    """Records that travelled through a queue or a socket have no exc_info any more."""
    assert line_of(make(exc_text="Traceback: gone"))["exception"] == "Traceback: gone"


def test_span_ids_of_opentelemetry_are_shown_while_a_span_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    context = types.SimpleNamespace(is_valid=True, trace_id=0xABC, span_id=0x12)
    span = types.SimpleNamespace(get_span_context=lambda: context)
    module = types.SimpleNamespace(get_current_span=lambda: span)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)  # type: ignore[arg-type]
    line = line_of(make())
    assert list(line)[-2:] == ["trace_id", "span_id"]
    assert (line["trace_id"], line["span_id"]) == (f"{0xABC:032x}", f"{0x12:016x}")
    context.is_valid = False
    assert list(line_of(make())) == KEYS


def test_a_broken_opentelemetry_costs_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", types.SimpleNamespace())  # type: ignore[arg-type]
    assert list(line_of(make())) == KEYS


def test_line_separators_of_unicode_do_not_break_the_line() -> None:
    text = JsonRenderer()(make(msg="a\u2028b\u2029c\x85d")).decode()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["message"] == "a\u2028b\u2029c\x85d"


def test_no_line_is_longer_than_promised() -> None:
    with capture_logs() as lines, LogContext(**{f"f{n}": "\x01" * 9000 for n in range(60)}):
        logger.info("\x00" * 100_000)
        raw = JsonRenderer()(make(msg="\x02" * 100_000, exc_text="\x03" * 100_000))
    assert len(raw) <= MAX_LINE
    assert "[cut: 100000 characters]" in lines[0]["message"]
    assert any("cut" in str(value) for value in lines[0]["extra"].values())


@pytest.mark.parametrize("named", [True, False])
def test_records_are_made_as_the_standard_library_makes_them(named: bool) -> None:
    """The quick way of making records leaves no attribute out and means the same by each."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = named
    details = ("n", 20, "/a/b.py", 7, "m %s", ("x",), None, "f", None)
    standard = logging.LogRecord(*details).__dict__
    mine = _make_record(logger, *details[:8], None, details[8]).__dict__
    assert list(mine) == list(standard)
    for name in set(standard) - {"created", "msecs", "relativeCreated"}:
        assert mine[name] == standard[name], name
    assert mine["relativeCreated"] / 1000 == pytest.approx(mine["created"] - standard["created"], abs=3600)
    assert 0 <= mine["msecs"] < 1000


def test_a_record_factory_of_the_application_is_kept() -> None:
    class Mine(logging.LogRecord):
        pass

    install_record_maker()
    previous = logging.getLogRecordFactory()
    logging.setLogRecordFactory(Mine)
    try:
        record = logger.makeRecord("n", 20, "p.py", 1, "m", (), None, "f", {"name": "x"})
    finally:
        logging.setLogRecordFactory(previous)
    assert type(record) is Mine


def test_a_mapping_alone_is_the_arguments() -> None:
    with capture_logs() as lines:
        logger.info("%(a)s and %(b)s", {"a": 1, "b": 2})
    assert lines[0]["message"] == "1 and 2"


TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[INFO\] tests\.line \(abc\): (.*)\n")


def test_text_form() -> None:
    with bind_correlation_id("abc"), LogContext(job_id="not shown"):
        text = TextRenderer()(make(name="tests.line", msg="hello", created=1705314600.0)).decode()
    assert text == "2024-01-15 10:30:00 [INFO] tests.line (abc): hello\n"


def test_text_form_cannot_be_forged() -> None:
    forged = "ok\n2024-01-15 10:30:00 [INFO] admin (x): granted\x1b[2J\u2028"
    with bind_correlation_id("abc"):
        text = TextRenderer()(make(name="tests.line", msg=forged)).decode()
    assert TEXT.fullmatch(text)
    assert "\x1b" not in text


def test_text_form_indents_tracebacks() -> None:
    try:
        raise ValueError("no\n2024-01-15 10:30:00 [INFO] forged (x): y")
    except ValueError:
        text = TextRenderer()(make(exc_info=sys.exc_info())).decode()
    first, *rest = text.splitlines()
    assert first.endswith(": hello")
    assert rest
    assert all(line.startswith("  ") for line in rest)


def test_records_of_third_parties_format_in_both_forms() -> None:
    record = logging.LogRecord("third.party", 30, "/lib/x.py", 3, "%s!", ("odd",), None)
    assert line_of(record)["message"] == "odd!"
    assert TextRenderer()(record).decode().endswith(": odd!\n")
