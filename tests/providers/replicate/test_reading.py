"""Replicate's objects, read: everything but id and status may be missing, null or odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.records import Observation, Phase
from actors.providers.answers import checked_observation
from actors.providers.errors import Protocol
from actors.providers.replicate.reading import (
    handle_of,
    kind_and_id,
    log_of,
    moment,
    observation_of,
    remote_id,
    results_of,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(**body: Any) -> Observation:
    return observation_of({"id": "abc", "status": "succeeded", **body}, NOW, 0.001)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("starting", Phase.STARTING),
        ("processing", Phase.RUNNING),
        ("succeeded", Phase.SUCCEEDED),
        ("failed", Phase.FAILED),
        ("canceled", Phase.CANCELED),
        ("aborted", Phase.CANCELED),
        (" Succeeded ", Phase.SUCCEEDED),
        ("hibernating", Phase.UNKNOWN),
        ("", Phase.UNKNOWN),
    ],
)
def test_each_status_has_one_meaning(status: str, phase: Phase) -> None:
    """One that is not known is not guessed, and kept as it was written."""
    seen = read(status=status)
    assert (seen.phase, seen.raw_status) == (phase, status)


def test_id_and_status_alone_are_enough() -> None:
    seen = read(status="processing")
    assert (seen.started_at, seen.completed_at, seen.error, seen.cost_usd, seen.output_url, seen.result) == (None,) * 6


@pytest.mark.parametrize("status", [None, 7, ["failed"]])
def test_an_object_without_a_status_says_nothing(status: Any) -> None:
    with pytest.raises(Protocol, match="status is"):
        read(status=status)


@pytest.mark.parametrize("status", ["canceled", "aborted"])
def test_an_end_at_the_deadline_is_a_time_out(status: str) -> None:
    """Replicate calls it by the same word as an end that somebody asked for."""
    deadline = "2026-01-02T03:00:00Z"
    assert read(status=status, deadline=deadline, completed_at="2026-01-02T03:00:00.4Z").phase is Phase.TIMED_OUT
    assert read(status=status, deadline=deadline, completed_at="2026-01-02T02:59:00Z").phase is Phase.CANCELED
    assert read(status=status, completed_at="2026-01-02T03:00:00Z").phase is Phase.CANCELED
    assert read(deadline=deadline, completed_at="2026-01-02T03:00:00Z").phase is Phase.SUCCEEDED


def test_cost_is_the_computing_time_at_the_configured_price() -> None:
    seen = read(metrics={"predict_time": 1234.5, "total_time": 9999})
    assert seen.compute_seconds == 1234.5
    assert seen.cost_usd == pytest.approx(1.2345)


def test_no_price_no_cost() -> None:
    assert observation_of({"id": "a", "status": "failed", "metrics": {"predict_time": 5}}, NOW, None).cost_usd is None


def test_what_never_ran_costs_nothing_and_what_runs_has_no_cost_yet() -> None:
    metrics = {"predict_time": 5.0}
    assert read(status="aborted", metrics=metrics).cost_usd is None
    assert read(status="processing", metrics=metrics).cost_usd is None


@pytest.mark.parametrize(
    "metrics", [None, [], {}, {"predict_time": None}, {"predict_time": -1}, {"predict_time": True}]
)
def test_a_cost_that_cannot_be_read_is_left_out(metrics: Any) -> None:
    assert read(metrics=metrics).cost_usd is None


def test_a_failure_always_has_words() -> None:
    assert read(status="failed", error="CUDA out of memory").error == "CUDA out of memory"
    assert read(status="failed", error={"code": 7}).error == '{"code":7}'
    assert read(status="failed", error=None).error == "Replicate does not say why"
    assert len(read(status="failed", error="x" * 100_000).error or "") == 4000


def test_where_replicate_does_not_say_why_the_output_does() -> None:
    logs = " 50%|##| 1/2\rRuntimeError: out of luck\n====\n\x1b[0m"
    words = "Replicate does not say why; its output ends with: RuntimeError: out of luck"
    assert read(status="failed", error=None, logs=logs).error == words
    assert read(status="failed", error="\x1b[31mout of luck\x1b[0m\r\n").error == "out of luck\n"


def test_an_output_nested_too_deep_is_no_reason_to_know_nothing_of_its_job() -> None:
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    assert read(output=deep).result == {"output": "nested too deeply to be kept here"}


@pytest.mark.parametrize("digits", range(10))
def test_a_time_has_any_number_of_digits(digits: int) -> None:
    """Recorded: 0 to 9, and what is finer than a microsecond is cut."""
    fraction = ".123456789"[: digits + 1] if digits else ""
    expected = timedelta(microseconds=int("123456789"[: min(digits, 6)].ljust(6, "0")) if digits else 0)
    assert moment(f"2026-01-02T03:04:05{fraction}Z") == NOW + expected
    assert moment(f"2026-01-02T05:04:05{fraction}+02:00") == NOW + expected


@pytest.mark.parametrize(
    "text", [None, 7, "", "yesterday", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05", "0001-01-01T00:00:00+02:00",
             "2026-01-02T25:04:05Z", "\uff12026-01-02T03:04:05Z"],
)  # fmt: skip
def test_what_is_no_time_is_none(text: Any) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("output", "addresses"),
    [
        (None, []),
        ("https://replicate.delivery/a.png", ["https://replicate.delivery/a.png"]),
        (["https://replicate.delivery/a.png", "words", "https://replicate.delivery/b.png"],
         ["https://replicate.delivery/a.png", "https://replicate.delivery/b.png"]),
        ({"version": "ana/m:1", "weights": "https://replicate.delivery/w.tar"}, ["https://replicate.delivery/w.tar"]),
        (["token", " by", " token"], []),
        ({"a": [{"b": "https://x.example/deep"}]}, ["https://x.example/deep"]),
    ],
)  # fmt: skip
def test_results_are_the_addresses_in_an_output(output: Any, addresses: list[str]) -> None:
    """In their order."""
    assert list(results_of({"id": "abc", "output": output, "completed_at": "2026-01-02T03:04:05Z"})) == addresses
    assert read(output=output).output_url == (addresses[0] if addresses else None)


def test_a_large_output_is_not_kept_in_the_rows() -> None:
    result = read(output="x" * 100_000).result
    assert result is not None
    assert len(orjson.dumps(result)) < 100
    assert read(output={"text": "words"}).result == {"output": {"text": "words"}}


def test_logs_are_bytes() -> None:
    assert log_of({"logs": "ü\n"}) == "ü\n".encode()
    assert log_of({"logs": None}) == log_of({}) == log_of({"logs": 7}) == b""


@pytest.mark.parametrize("value", [None, 7, "", "a/b", "../account", "a?b", "a" * 65, "ü", "a\n"])
def test_what_cannot_be_an_id_is_never_put_into_an_address(value: Any) -> None:
    with pytest.raises(Protocol, match="is not an id of a job"):
        remote_id(value)


def test_a_handle_that_was_given_by_hand_needs_an_id_alone() -> None:
    assert kind_and_id({"id": "abc"}) == ("prediction", "abc")
    assert kind_and_id(handle_of("training", {"id": "abc", "model": "left out"})) == ("training", "abc")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("started_at", "completed_at", "deadline", "error", "metrics", "output", "logs", "source", "data_removed")


@given(st.fixed_dictionaries({"status": st.sampled_from(["failed", "succeeded", "canceled", "x"])},
                             optional=dict.fromkeys(FIELDS, json_values)))  # fmt: skip
def test_whatever_the_other_fields_hold_an_observation_comes_out(body: dict[str, Any]) -> None:
    """And it is one that passes the guard."""
    plain = orjson.loads(orjson.dumps(body))
    seen = observation_of({"id": "abc", **plain}, NOW, 0.01)
    assert checked_observation(seen) == seen
    list(results_of(plain))
    log_of(plain)
