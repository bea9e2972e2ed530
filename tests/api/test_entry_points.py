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


async def test_only_those_who_may_submit_read_it(runtime: RunningRuntime, web: httpx.AsyncClient) -> None:
    assert (await web.get("/api/entry-points", headers=await bearer(runtime, "viewer", "vi"))).status_code == 403
    assert (await web.get("/api/entry-points")).status_code == 401
