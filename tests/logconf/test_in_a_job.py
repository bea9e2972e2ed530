"""A job that logs through `logconf` continues the trail of its correlation ID (B21)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from logconf import (
    clear_correlation_id,
    configure_structured_logging,
    flush,
    get_correlation_id,
    get_logger,
    init_from_env,
    set_correlation_id,
)

logger = get_logger("tests.in_a_job")


@pytest.fixture(autouse=True)
def no_id() -> Any:
    clear_correlation_id()
    yield
    clear_correlation_id()


@pytest.mark.parametrize("configure", [init_from_env, configure_structured_logging])
def test_its_lines_have_the_jobs_correlation_id(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], configure: Any
) -> None:
    monkeypatch.setenv("GREENROOM_CORRELATION_ID", "abc123")
    configure()
    logger.info("Trained")
    flush()
    (line,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert (line["message"], line["correlation_id"]) == ("Trained", "abc123")
    assert get_correlation_id() == "abc123"


def test_an_id_that_there_is_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_CORRELATION_ID", "abc123")
    set_correlation_id("mine")
    init_from_env()
    assert get_correlation_id() == "mine"


@pytest.mark.parametrize("given", [None, "", "a b"])
def test_without_a_good_one_a_new_one_is_made(monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    monkeypatch.delenv("GREENROOM_CORRELATION_ID", raising=False)
    if given is not None:
        monkeypatch.setenv("GREENROOM_CORRELATION_ID", given)
    init_from_env()
    assert len(get_correlation_id()) == 32
