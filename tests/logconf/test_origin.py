"""A line that a helper writes for many places names the place (A6)."""

from __future__ import annotations

import logging

import pytest

from logconf import CorrelationIDFilter, find_origin, init_from_env, log_from

_logger = logging.getLogger("tests.origin")


def test_the_line_names_the_place_that_was_noted(caplog: pytest.LogCaptureFixture) -> None:
    def place() -> object:
        return find_origin(())

    origin = place()
    caplog.set_level("INFO")
    log_from(origin, _logger, logging.INFO, "said later", extra={"a": 1}, exc_info=ValueError("x"))  # type: ignore[arg-type]
    (record,) = caplog.records
    assert (record.funcName, record.a, record.exc_info[0]) == ("place", 1, ValueError)  # type: ignore[attr-defined,index]


def test_without_a_place_it_is_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    log_from(find_origin({__file__, *map(str, range(3))}) and None, _logger, logging.INFO, "said", extra={})
    assert caplog.records[0].funcName == "test_without_a_place_it_is_the_caller"


def test_the_filter_of_the_manuals_checklist_is_where_it_looks() -> None:
    """On the root logger, on our loggers and on our handler; configuring twice adds none."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    try:
        for _ in range(2):
            init_from_env({})
        ours = [one for one in root.handlers if one not in before[0]]
        loggers = [root, *map(logging.getLogger, ("actors", "supervision", "logconf"))]
        for filtered in (*loggers, *ours):
            assert sum(isinstance(one, CorrelationIDFilter) for one in filtered.filters) == 1
    finally:
        for one in [one for one in root.handlers if one not in before[0]]:
            root.removeHandler(one)
            one.close()
        root.setLevel(before[1])
