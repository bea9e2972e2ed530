"""Sampling: the first n, then every m-th, and how many did not pass."""

from __future__ import annotations

import logging

import pytest

from logconf import get_logger
from logconf.sampling import SamplingFilter
from logconf.testing import capture_logs

logger = get_logger("tests.sampling")


def record(created: float, level: int = logging.INFO) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "m", "levelno": level, "created": created})


def test_the_first_pass_then_every_mth() -> None:
    sampling = SamplingFilter(first=3, thereafter=5, interval=1.0)
    passed = [number for number in range(20) if sampling.filter(record(100.0))]
    assert passed == [0, 1, 2, 7, 12, 17]


def test_each_interval_begins_anew_also_when_the_clock_is_set_back() -> None:
    sampling = SamplingFilter(first=1, thereafter=0, interval=1.0)
    times = [100.0, 100.5, 100.999, 101.0, 101.5, 50.0, 50.1]
    assert [sampling.filter(record(time)) for time in times] == [True, False, False, True, False, True, False]


def test_warnings_always_pass() -> None:
    sampling = SamplingFilter(first=0, thereafter=0)
    assert not sampling.filter(record(1.0))
    assert sampling.filter(record(1.0, logging.WARNING))


def test_the_next_line_says_how_many_were_suppressed() -> None:
    sampling = SamplingFilter(first=1, thereafter=10, interval=3600.0)
    logger.addFilter(sampling)
    try:
        with capture_logs() as lines:
            for number in range(21):
                logger.info("%d", number, extra={"own": number})
    finally:
        logger.removeFilter(sampling)
    assert [line["message"] for line in lines] == ["0", "10", "20"]
    assert [line["extra"] for line in lines] == [{"own": 0}, {"own": 10, "suppressed": 9}, {"own": 20, "suppressed": 9}]


def test_a_field_of_that_name_is_the_callers() -> None:
    sampling = SamplingFilter(first=0, thereafter=2, interval=3600.0)
    logger.addFilter(sampling)
    try:
        with capture_logs() as lines:
            for _ in range(2):
                logger.info("x", extra={"suppressed": "mine"})
    finally:
        logger.removeFilter(sampling)
    assert [line["extra"] for line in lines] == [{"suppressed": "mine"}]


@pytest.mark.parametrize("wrong", [{"first": -1, "thereafter": 1}, {"first": 1, "thereafter": 1, "interval": 0}])
def test_senseless_numbers_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        SamplingFilter(**wrong)
