"""capture_logs: what users' tests see, and that nothing stays behind."""

from __future__ import annotations

import logging

import pytest

from logconf import get_logger
from logconf.testing import capture_logs

logger = get_logger("tests.capture")


def test_lines_are_what_a_sink_would_have_seen() -> None:
    with capture_logs() as lines:
        logger.debug("hello %s", "you", extra={"password": "hunter2", "name": "allowed"})  # noqa: G101 - on purpose
    (line,) = lines
    assert (line["message"], line["level"]) == ("hello you", "DEBUG")
    assert line["extra"] == {"password": "***", "name": "allowed"}


def test_the_level_holds_and_is_put_back() -> None:
    before = logging.getLogger().level
    with capture_logs(logging.ERROR) as lines:
        logger.warning("no")
        logger.error("yes")
    assert [line["message"] for line in lines] == ["yes"]
    assert logging.getLogger().level == before


def test_everything_is_put_back_even_on_errors() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.Logger.makeRecord)
    with pytest.raises(ValueError, match="no"), capture_logs():
        raise ValueError("no")
    assert (list(root.handlers), root.level, logging.Logger.makeRecord) == before


def test_nested_captures_both_see_the_line() -> None:
    with capture_logs() as outer, capture_logs() as inner:
        logger.info("x")
    assert outer == inner
