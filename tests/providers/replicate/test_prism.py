"""The provider against Prism, which nobody here wrote: a mock of the published schema, and a classify before the fake.

The mock refuses each request that breaks the schema and knows no state; as a proxy it lets our provider talk to the
fake, and turns each request or answer that breaks the schema into an error.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.jobs.records import JobRequest, Phase
from actors.providers.base import CancelAck, Submitted
from actors.providers.errors import Invalid
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.testing.fake_replicate import TOKEN, FakeReplicate, serve
from tests.ports import free_ports

SCHEMA = Path(__file__).parents[2] / "testing" / "replicate-openapi-relaxed-v1.json"
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
SPECS: dict[str, dict[str, Any]] = {
    "model": {"model": "ana/model"},
    "version": {"model": f"ana/model:{VERSION}"},
    "deployment": {"deployment": "ana/fast"},
    "training": {"model": f"ana/model:{VERSION}", "destination": "greenroom/mine"},
}
PATIENCE = 60

pytestmark = pytest.mark.parts


@pytest.fixture(scope="module")
def prism() -> str:
    path = os.environ.get("GREENROOM_TEST_PRISM") or shutil.which("prism")
    if path is None:
        pytest.skip("needs Prism: npm install @stoplight/prism-cli@5.14.2, then GREENROOM_TEST_PRISM=.../.bin/prism")
    return path


@asynccontextmanager
async def running(*argv: str) -> AsyncIterator[str]:
    """Prism on a free port of this machine, ended with the block."""
    (port,) = map(str, free_ports(1))
    command = [*argv[:2], "-h", "127.0.0.1", "-p", port, *argv[2:]]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, stdout=-1, stderr=-1, check=False))
        try:
            with trio.fail_after(PATIENCE):
                said = b""
                while b"listening on" not in said:
                    piece = await process.stdout.receive_some()
                    assert piece, said.decode()
                    said += piece
            nursery.start_soon(_drain, process.stdout)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


async def _drain(stream: trio.abc.ReceiveStream) -> None:
    async for _ in stream:
        pass


@asynccontextmanager
async def provider_at(address: str) -> AsyncIterator[ReplicateProvider]:
    hook = "https://greenroom.example/api/webhooks/replicate"
    options = ReplicateOptions(base_url=address, token_input="token", settle_seconds=0, webhook_url=hook)
    provider = ReplicateProvider(options)
    try:
        with trio.fail_after(PATIENCE):
            yield provider
    finally:
        with trio.move_on_after(5, shield=True):
            await provider.aclose()


def request_of(spec: dict[str, Any], **script: Any) -> JobRequest:
    lasts = None if "destination" in spec else 600.0
    return JobRequest(provider="replicate", spec={**spec, "input": {"fake": script}}, max_runtime=lasts)


async def submit(provider: ReplicateProvider, name: str, **script: Any) -> Submitted:
    return await provider.submit(name, f"token-{name}", provider.prepare(request_of(SPECS[name], **script)), {})


async def test_every_request_is_one_that_the_schema_allows(prism: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call, with a webhook and a deadline; and the examples of the schema are answers that we understand."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with running(prism, "mock", str(SCHEMA)) as address, provider_at(address) as provider:
        assert "account" in await provider.check()
        for name in SPECS:
            submitted = await submit(provider, name)
            assert submitted.observation is not None
            assert submitted.observation.phase is not Phase.UNKNOWN
            handle = submitted.handle
            view = await provider.observe_many({name: handle})
            assert view.observations.keys() == {name}
            await provider.cancel(name, handle)
            [chunk async for chunk in provider.logs(name, handle)]
        handles = {f"key-{number}": {"kind": "prediction", "id": f"id{number}"} for number in range(5)}
        assert (await provider.observe_many(handles)).observations.keys() == handles.keys()
        await provider.find("unknown", "token")
        assert await provider.delivery_secrets()


async def test_the_mock_is_a_strict_one(prism: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above relies on: a field that the schema does not have is refused."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    async with running(prism, "mock", str(SCHEMA)) as address, provider_at(address) as provider:
        prepared = provider.prepare(request_of(SPECS["model"]))
        prepared.body["json"]["surprise"] = 1
        with pytest.raises(Invalid):
            await provider.submit("key-1", "token", prepared, {})


async def test_provider_and_fake_keep_to_the_schema_in_both_directions(
    prism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of each kind from its start to its end, and one that is cancelled, with Prism between them."""
    monkeypatch.setenv("REPLICATE_API_TOKEN", TOKEN)
    fake = FakeReplicate()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(serve, fake)
        behind = [str(SCHEMA), f"http://127.0.0.1:{port}", "--errors"]
        async with running(prism, "proxy", *behind) as address, provider_at(address) as provider:
            for name in SPECS:
                submitted = await submit(provider, name, seconds=0, logs="words\n")
                view = await provider.observe_many({name: submitted.handle})
                assert view.observations[name].phase is Phase.SUCCEEDED
                assert b"".join([one.data async for one in provider.logs(name, submitted.handle)]) == b"words\n"
                assert await provider.cancel(name, submitted.handle) is CancelAck.ALREADY_TERMINAL
            runs = await provider.submit("runs", "t", provider.prepare(request_of(SPECS["model"], seconds=1000)), {})
            assert await provider.cancel("runs", runs.handle) is CancelAck.ALREADY_TERMINAL
            assert isinstance(await ReplicateProvider.find(provider, "runs", "t"), Submitted)
            lost = "01hm6z8m0000000000000000ab-1"
            assert not isinstance(await provider.find(lost, "nobody"), Submitted)
        nursery.cancel_scope.cancel()
