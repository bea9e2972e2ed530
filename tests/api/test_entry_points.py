"""What the server tells of entry points: the rules for parameters, and nothing of what is run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import httpx
import pytest

from actors.api import create_app
from actors.providers.entry_points import EntryPoint, Param
from actors.runtime import RunningRuntime, open_runtime
from actors.settings import Settings
from tests.api.servers import bearer

SECRET = "kept-in-the-configuration"
PARAMS = {
    "epochs": Param("int", min=1, max=9),
    "mode": Param(choices=("a", "b"), default="a"),
    "tag": Param(pattern="x+"),
}
TRAIN = EntryPoint(("python", SECRET, "{epochs}", "{mode}", "{tag}"), PARAMS, cwd=f"/{SECRET}", env={"KEY": SECRET})


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[RunningRuntime]:
    settings = Settings.default(state_dir=tmp_path / "state")
    local = settings.providers["local"]
    offered = attrs.evolve(local, options=attrs.evolve(local.options, entry_points={"train": TRAIN}))
    async with open_runtime(attrs.evolve(settings, providers={"local": offered})) as runtime:
        yield runtime


@pytest.fixture
async def web(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
        yield client


async def test_the_rules_of_each_parameter_are_listed(runtime: RunningRuntime, web: httpx.AsyncClient) -> None:
    found = await web.get("/api/entry-points", headers=await bearer(runtime, "researcher"))
    none = {"choices": None, "min": None, "max": None, "pattern": None, "default": None}
    assert found.json() == {
        "entry_points": [
            {
                "name": "train",
                "provider": "local",
                "params": [
                    {**none, "name": "epochs", "type": "int", "min": 1, "max": 9},
                    {**none, "name": "mode", "type": "str", "choices": ["a", "b"], "default": "a"},
                    {**none, "name": "tag", "type": "str", "pattern": "x+"},
                ],
            }
        ]
    }
    assert SECRET not in found.text


async def test_each_fault_is_listed_with_its_field(runtime: RunningRuntime, web: httpx.AsyncClient) -> None:
    """So that a form can show each sentence beside its field; of one fault the answer names the field itself."""
    who = await bearer(runtime, "researcher")
    asked = {"provider": "local", "entry_point": "train", "params": {"epochs": 10, "tag": "y; epochs", "a b": 1}}
    refused = (await web.post("/api/jobs", headers=who, json=asked)).json()
    faults = [
        ("params.a b", "params.a b is unknown; known are epochs, mode, tag"),
        ("params.epochs", "params.epochs must be at most 9"),
        ("params.tag", "params.tag must match x+"),
    ]
    assert [(one["field"], one["message"]) for one in refused["errors"]] == faults
    assert refused["detail"] == "; ".join(message for _, message in faults)
    assert refused["field"] == "params.a b"
    asked["params"] = {"epochs": 10, "tag": "x"}
    refused = (await web.post("/api/jobs", headers=who, json=asked)).json()
    assert (refused["field"], refused["detail"]) == ("params.epochs", "params.epochs must be at most 9")
    assert "errors" not in refused


async def test_a_fault_in_a_list_names_its_job(runtime: RunningRuntime, web: httpx.AsyncClient) -> None:
    who = await bearer(runtime, "researcher")
    good = {"provider": "local", "entry_point": "train", "params": {"epochs": 1, "tag": "x"}}
    bad = {**good, "params": {"epochs": "many"}}
    refused = (await web.post("/api/jobs", headers=who, json=[good, bad])).json()
    assert refused["detail"].startswith("job 2: params.epochs must be")
    assert [one["field"] for one in refused["errors"]] == ["params.epochs", "params.tag"]


async def test_only_those_who_may_submit_read_it(runtime: RunningRuntime, web: httpx.AsyncClient) -> None:
    assert (await web.get("/api/entry-points", headers=await bearer(runtime, "viewer", "vi"))).status_code == 403
    assert (await web.get("/api/entry-points")).status_code == 401
