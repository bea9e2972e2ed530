"""From a request to the body of a creation: what is sent where, and what is refused with its fix."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from actors.jobs.records import JobRequest
from actors.providers.errors import Invalid
from actors.providers.replicate import ReplicateOptions
from actors.providers.replicate.preparing import MOST_INPUT, prepare_request

VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
OPTIONS = ReplicateOptions(token_input="job_token")


def prepared(spec: dict[str, Any], options: ReplicateOptions = OPTIONS, **fields: Any) -> dict[str, Any]:
    return dict(prepare_request(JobRequest(provider="replicate", spec=spec, **fields), options).body)


@pytest.mark.parametrize(
    ("what", "path", "named"),
    [
        ({"model": "ana/lora"}, "/v1/models/ana/lora/predictions", {}),
        ({"model": f"ana/lora:{VERSION}"}, "/v1/predictions", {"version": VERSION}),
        ({"model": "ana/lora", "version": VERSION}, "/v1/predictions", {"version": VERSION}),
        ({"version": VERSION}, "/v1/predictions", {"version": VERSION}),
        ({"deployment": "ana/fast"}, "/v1/deployments/ana/fast/predictions", {}),
        (
            {"model": f"ana/lora:{VERSION}", "destination": "ana/mine"},
            f"/v1/models/ana/lora/versions/{VERSION}/trainings",
            {"destination": "ana/mine"},
        ),
        (
            {"model": "ana/lora", "version": VERSION, "destination": "ana/mine"},
            f"/v1/models/ana/lora/versions/{VERSION}/trainings",
            {"destination": "ana/mine"},
        ),
    ],
)
def test_what_is_run_decides_where_it_is_created(what: dict[str, Any], path: str, named: dict[str, Any]) -> None:
    body = prepared({**what, "input": {"steps": 10}})
    assert body["path"] == path
    assert body["json"] == {**named, "input": {"steps": 10}}
    assert body["kind"] == ("training" if "destination" in what else "prediction")


def test_a_deadline_becomes_whole_seconds_from_the_creation_on() -> None:
    """``Cancel-After``, rounded up: never shorter than what was asked for."""
    assert prepared({"model": "ana/lora"}, max_runtime=90.2)["cancel_after"] == "91s"
    assert prepared({"model": "ana/lora"})["cancel_after"] is None


def test_a_webhook_of_ones_own_is_passed_on() -> None:
    spec = {"model": "ana/lora", "webhook": "https://ana.example/hook", "webhook_events_filter": ["completed"]}
    sent = prepared(spec)["json"]
    assert (sent["webhook"], sent["webhook_events_filter"]) == ("https://ana.example/hook", ["completed"])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "needs one of model"),
        ({"model": "ana/lora", "deployment": "ana/fast"}, "needs one of model"),
        ({"version": VERSION, "deployment": "ana/fast"}, "needs one of model"),
        ({"modle": "ana/lora"}, r"spec\.modle: unknown key; did you mean model\?"),
        ({"model": "lora"}, r"spec\.model: must look like owner/name"),
        ({"model": "../account"}, r"spec\.model: must look like owner/name"),
        ({"model": "ana/lora?x=/"}, r"spec\.model: must look like owner/name"),
        ({"model": 7}, r"spec\.model: must be a text"),
        ({"version": "a/../../account"}, r"spec\.version: must look like an id"),
        ({"deployment": "ana"}, r"spec\.deployment: must look like owner/name"),
        ({"model": f"ana/lora:{VERSION}", "version": VERSION}, r"spec\.version stands in spec\.model"),
        ({"model": "ana/lora", "input": ["steps"]}, r"spec\.input: must be a mapping"),
        ({"model": "ana/lora", "input": {"steps": {1, 2}}}, r"spec\.input\.steps: must be plain data"),
        ({"model": "ana/lora", "input": {"steps": 1 << 70}}, r"spec\.input\.steps: is a number too large"),
        ({"model": "ana/lora", "input": {"image": "x" * MOST_INPUT}}, r"spec\.input: has \d+ bytes of JSON, more than"),
        ({"model": "ana/lora", "input": {"job_token": "mine"}}, r"spec\.input\.job_token is set by the provider"),
        ({"model": "ana/lora", "webhook": "ftp://x"}, r"spec\.webhook: must be an address"),
        ({"model": "ana/lora", "webhook_events_filter": ["completed"]}, r"needs spec\.webhook"),
        (
            {"model": "ana/lora", "webhook": "https://a.example", "webhook_events_filter": ["end"]},
            "must be one of start,",
        ),
        ({"model": "ana/lora", "webhook": "https://a.example", "webhook_events_filter": []}, "must not be empty"),
        ({"model": "ana/lora", "destination": "ana/mine"}, "a training needs spec.model with the version"),
        ({"version": VERSION, "destination": "ana/mine"}, "a training needs spec.model with the version"),
        ({"model": f"ana/lora:{VERSION}", "destination": "mine"}, r"spec\.destination: must look like owner/name"),
    ],
)
def test_a_wrong_spec_is_refused_with_its_field(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        prepared(spec)


@pytest.mark.parametrize(
    "fields",
    [{"command": ("python",)}, {"entry_point": "train"}, {"params": {"a": 1}}, {"env": {"A": "1"}}],
    ids=lambda fields: next(iter(fields)),
)
def test_what_nobody_there_would_see_is_refused(fields: dict[str, Any]) -> None:
    """Not left out in silence. Where the submitter stood (``cwd``) and whose variables there are is no matter."""
    with pytest.raises(Invalid, match=f"{next(iter(fields))} means nothing at Replicate"):
        prepared({"model": "ana/lora"}, **fields)
    assert prepared({"model": "ana/lora"}, cwd="/home/ana", inherited_env={"PATH": "/bin"})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.9, "at least 5 seconds"), (-1.0, "at least 5"), (math.nan, "at least 5"), (math.inf, "at least 5"),
     (1801, "ends a prediction after 1800 seconds")],
)  # fmt: skip
def test_a_deadline_that_replicate_would_not_keep_is_refused(seconds: float, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        prepared({"model": "ana/lora"}, max_runtime=seconds)


def test_a_longer_deadline_is_taken_where_replicate_allows_it() -> None:
    body = prepared({"model": "ana/lora"}, ReplicateOptions(max_prediction_seconds=None), max_runtime=7200)
    assert body["cancel_after"] == "7200s"


def test_a_deadline_of_a_training_is_refused() -> None:
    """Replicate has none for trainings: a promise that nobody keeps is not made."""
    spec = {"model": f"ana/lora:{VERSION}", "destination": "ana/mine"}
    with pytest.raises(Invalid, match="Replicate ends no training by itself"):
        prepared(spec, max_runtime=60)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        prepared({"modle": "ana/lora", "input": 1}, command=("python",), max_runtime=1)
    assert str(caught.value).count("; ") >= 4


def test_what_is_prepared_is_plain_json() -> None:
    orjson.dumps(prepared({"model": "ana/lora", "input": {"prompt": "ü"}}, max_runtime=60))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"api_token_env": "r8_secret-value"}, "api_token_env must be the name"),
        ({"webhook_secret_env": "whsec_/="}, "webhook_secret_env must be the name"),
        ({"base_url": "api.replicate.com"}, "base_url: .*must be an address"),
        ({"base_url": "https://u:p@host"}, "base_url: .*without a user"),
        ({"concurrent": 0}, "concurrent must be at least 1"),
        ({"usd_per_second": -1.0}, "usd_per_second must be 0 or more"),
        ({"max_prediction_seconds": 0.0}, "max_prediction_seconds must be more than 0"),
        ({"token_input": ""}, "token_input must be the name"),
        ({"copy_hosts": ("https://replicate.delivery",)}, "copy_hosts holds names of hosts"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    """And a secret that was written where its name belongs is not repeated."""
    with pytest.raises(ValueError, match=words) as caught:
        ReplicateOptions(**options)
    assert "r8_secret" not in str(caught.value)
