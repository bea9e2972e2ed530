"""JSON of jobs: what Python writes for numbers that are none becomes null, and nothing else is lost with it."""

from __future__ import annotations

import orjson
import pytest

from actors.jobs.records import Observation, Phase
from actors.providers.answers import checked_observation
from actors.providers.json_reading import json_object


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"loss": NaN, "bleu": 31.2}', {"loss": None, "bleu": 31.2}),
        (b'{"a": Infinity, "b": [-Infinity, 1]}', {"a": None, "b": [None, 1]}),
        (b'{"a": 1e999, "b": NaN}', {"a": None, "b": None}),
        (b'{"a": NaN, "n": 123456789012345678901234567890}', {"a": None, "n": 123456789012345678901234567890.0}),
        (b'{"a": NaN, "n": ' + b"9" * 5000 + b"}", {"a": None, "n": None}),
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "t": "\\ud800"}', {"a": None, "t": "\N{REPLACEMENT CHARACTER}"}),
        (b"[NaN]", None),
        (b'{"a": nan}', None),
        (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", None),
        (b'{"a": NaN, "b": ' + b"[" * 100_000, None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_numbers_that_are_none_become_null(data: bytes, value: object) -> None:
    found = json_object(data)
    assert found == value
    orjson.dumps(found)


def test_of_every_provider_progress_and_result_are_kept_without_them() -> None:
    """What is stored is what was told, or each look at the job would find news."""
    seen = Observation(Phase.RUNNING, progress={"loss": float("nan")}, result={"x": [float("inf"), 1]})
    checked = checked_observation(seen)
    assert (checked.progress, checked.result) == ({"loss": None}, {"x": [None, 1]})
