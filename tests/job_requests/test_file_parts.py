"""A file with more jobs than one request may have: several requests, later ones name jobs of earlier ones (E2)."""

from __future__ import annotations

from typing import Any

import pytest

from actors.job_requests.file_parts import FileParts
from actors.job_requests.matrices import Request
from actors.jobs import maxima
from actors.jobs.matrix import matrix_of
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep, expand


def sweep(name: str, number: int, **fields: Any) -> Sweep:
    keys = tuple(f"{name}{index}" for index in range(number))
    return Sweep(JobRequest(config_name=name, **fields), matrix_of({"n": list(range(number))}), keys)


def sent(requests: list[Request]) -> list[list[Request]]:
    """The parts, as a server would be given them; the id of a job is its name with a star."""
    parts, found = FileParts(requests), []
    for part in parts.parts():
        found.append(part)
        names = [
            job.config_name for one in part for job in (expand(one) if isinstance(one, Sweep) else [one])
        ]  # fmt: skip
        parts.note(part, [(f"{name}*", name) for name in names])
    return found


def test_a_part_has_at_most_as_many_jobs_as_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maxima, "BATCH_JOBS", 10)
    plain = [JobRequest(config_name=str(number)) for number in range(25)]
    assert list(map(len, sent([*plain]))) == [10, 10, 5]
    requests = [*plain[:3], sweep("a", 7), sweep("b", 10), plain[3], sweep("c", 10), sweep("d", 1)]
    parts = sent(requests)
    assert [one for part in parts for one in part] == requests
    assert list(map(len, parts)) == [4, 1, 1, 1, 1]
    assert sent([]) == []


def test_a_part_has_at_most_as_many_bytes_as_a_request() -> None:
    large = [JobRequest(config_name=str(number), spec={"text": "x" * 250_000}) for number in range(100)]
    parts = sent([*large])
    assert [one for part in parts for one in part] == large
    assert list(map(len, parts)) == [66, 34]


def test_jobs_of_earlier_parts_are_named_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their own name, by that of their matrix; what is not there stays as it is, and so do groups."""
    monkeypatch.setattr(maxima, "BATCH_JOBS", 3)
    last = JobRequest(config_name="last", after=("b-{n}", "one", "a-2", "elsewhere", {"group": "g"}))
    parts = sent([JobRequest(config_name="one"), sweep("a", 2), sweep("b-{n}", 3), JobRequest(config_name="c"), last])
    assert list(map(len, parts)) == [2, 1, 2]
    found = parts[2][1]
    assert isinstance(found, JobRequest)
    assert found.after == ("b-0*", "b-1*", "b-2*", "one*", "a-2*", "elsewhere", {"group": "g"})
    within = sent([sweep("a", 1), JobRequest(after=("a",))])
    assert within[0][1] == JobRequest(after=("a",))
