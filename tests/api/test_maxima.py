"""Jobs and approval rules have a maximum in every field (D2): what is above it is refused by name, every way in.

What is tested is taken from the classes themselves: a new field is tested without a line here, and one without a
maximum is a failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
import yaml

from actors.job_requests.job_file import load_job_file
from actors.jobs import maxima
from actors.jobs.maximum import Text
from actors.jobs.records import ApprovalRule, JobRequest, Resources
from actors.jobs.refusal import Refused
from actors.settings import Settings
from actors.testing import request
from actors.validation import CheckedError
from tests.api.maxima_cases import BODIES, QUERIES, cases, is_open, maximum_of, named, open_fields
from tests.api.servers import bearer

JOB_CASES = cases(JobRequest, cwd="/", provider="scripted")
RULE_CASES = cases(ApprovalRule, exempt_levels="lead", applies_to_provider="scripted")


@pytest.mark.parametrize(
    "kind",
    dict.fromkeys([  # each once, in the same order in every process of the run
        JobRequest, Resources, ApprovalRule,
        *(route.body for route in BODIES), *(route.query for route in QUERIES),
    ]),
    ids=lambda kind: kind.__name__,
)  # fmt: skip
def test_every_field_that_can_be_of_any_length_has_a_maximum(kind: type) -> None:
    assert [name for name, maximum in open_fields(kind) if maximum is None] == []


def test_a_new_field_without_a_maximum_would_be_noticed() -> None:
    @attrs.frozen
    class New:
        text: str | None = None
        words: tuple[str, ...] = ()
        pairs: Mapping[str, str] = attrs.field(factory=dict)
        number: float = 0.0
        level: Literal["a"] = "a"
        bounded: str = attrs.field(default="", validator=Text(1))

    import typing

    hints = typing.get_type_hints(New, localns={"Mapping": Mapping, "Literal": Literal})
    unbounded = [
        one.name for one in attrs.fields(New) if is_open(hints[one.name]) and maximum_of(New, one) is None
    ]  # fmt: skip
    assert unbounded == ["text", "words", "pairs"]


# Jobs, every way in.


def body_with(field: str, value: Any) -> dict[str, Any]:
    """A job that is right but for one field."""
    base: dict[str, Any] = {"provider": "scripted", "user_id": "ana"}
    if field == "params":
        base["entry_point"] = "train"
    return {**base, field: value}


@pytest.mark.parametrize(("field", "value"), JOB_CASES)
async def test_a_job_above_a_maximum_is_refused_by_the_embedded_runtime(runtime: Any, field: str, value: Any) -> None:
    with pytest.raises(Refused, match=field) as refused:
        await runtime.submit(attrs.evolve(request(), **{field: tuple(value) if isinstance(value, list) else value}))
    assert refused.value.field == field
    assert "at most" in str(refused.value)
    assert await runtime.jobs.page() == []


@pytest.mark.parametrize(("field", "value"), JOB_CASES)
async def test_a_job_above_a_maximum_is_refused_over_http(edge: Any, web: Any, field: str, value: Any) -> None:
    """Alone and in a list on the Unix socket, and over TCP by an admin."""
    body = body_with(field, value)
    token = await bearer(edge.runtime, "admin")
    alone = await edge.http.post("/api/jobs", json=body)
    listed = await edge.http.post("/api/jobs", json=[body_with("config_name", "fine"), body])
    remote = await web.post("/api/jobs", json=body, headers=token)
    assert (alone.status_code, listed.status_code) == (422, 422)
    assert remote.status_code in (403, 422)  # what TCP does not take at all may be refused first
    assert field in named(alone)
    assert f"1.{field}" in named(listed) or f"[1].{field}" in named(listed)
    assert field in named(remote)
    assert await edge.runtime.jobs.page() == []


@pytest.mark.parametrize(("field", "value"), JOB_CASES)
def test_a_job_above_a_maximum_is_refused_in_a_job_file(tmp_path: Path, field: str, value: Any) -> None:
    """By the words of the file; what a file cannot hold at all is refused as that."""
    words = {
        "config_name": "name", "user_id": "user", "org_id": "org", "team_id": "team", "user_levels": "level",
        "requires_approval": "needs_approval",
    }  # fmt: skip
    job = {words.get(name, name): one for name, one in body_with(field, value).items()}
    path = tmp_path / "jobs.yaml"
    path.write_text(json.dumps({"jobs": [job]}))
    with pytest.raises(CheckedError) as refused:
        load_job_file(path, user="ana", environ={})
    assert any(words.get(field, field) in fault.path for fault in refused.value.faults)


async def test_a_job_is_bounded_as_a_whole(runtime: Any) -> None:
    """Fields that are all below their maxima, and together above what one job may be."""
    large = {"N": "y" * 100_000, "M": "y" * 100_000, "O": "y" * 100_000, "P": "y" * 100_000, "Q": "y" * 100_000}
    half = {"x": "y" * 200_000}
    asked = attrs.evolve(request(), env=large, inherited_env=large, spec=half, params=half)
    with pytest.raises(Refused, match=str(maxima.BODY)):
        await runtime.submit(asked)


async def test_a_request_has_a_maximum_of_jobs(edge: Any) -> None:
    many = [{"provider": "scripted"}] * (maxima.BATCH_JOBS + 1)
    answered = await edge.http.post("/api/jobs", json=many)
    assert (answered.status_code, str(maxima.BATCH_JOBS) in answered.json()["detail"]) == (422, True)
    with pytest.raises(Refused, match=str(maxima.BATCH_JOBS)):
        await edge.runtime.jobs.submit_many([request()] * (maxima.BATCH_JOBS + 1))


def test_a_job_file_and_a_spec_have_a_maximum_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text("# " + "x" * maxima.BATCH + "\njobs: [{command: [a]}]")
    with pytest.raises(CheckedError, match=str(maxima.BATCH)):
        load_job_file(path, user="ana", environ={})


# Approval rules, every way in.


@pytest.mark.parametrize(("field", "value"), RULE_CASES)
async def test_a_rule_above_a_maximum_is_refused_every_way_in(
    edge: Any, tmp_path: Path, field: str, value: Any
) -> None:
    """By the embedded runtime, over HTTP (new, in another's place, on trial), and in the configuration."""
    rule = {"name": "r", "condition": "hardware_type", "value": "a*", field: value}
    embedded = {**rule, field: tuple(value) if isinstance(value, list) else value}
    with pytest.raises(Refused, match=field):
        await edge.runtime.rules.add(ApprovalRule(**embedded))
    for method, path, body in (
        ("POST", "/api/approvals/rules", rule), ("PUT", "/api/approvals/rules/1", rule),
        ("POST", "/api/approvals/rules/dry-run", {"rule": rule}),
    ):  # fmt: skip
        answered = await edge.http.request(method, path, json=body)
        assert (answered.status_code, field in named(answered)) == (422, True), path
    config = tmp_path / "greenroom.yaml"
    config.write_text(yaml.safe_dump({"approvals": {"rules": [rule]}}))
    with pytest.raises(CheckedError) as refused:
        Settings.load(config)
    assert any(field in fault.path for fault in refused.value.faults)
    assert len(await edge.runtime.rules.all()) == 1


async def test_there_is_a_maximum_of_rules(edge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maxima, "RULES", 2)
    await edge.runtime.rules.add(ApprovalRule("second", "first_job"))
    with pytest.raises(Refused, match="2 approval rules"):
        await edge.runtime.rules.add(ApprovalRule("third", "first_job"))
