"""Copies of results, on a real disk: made before the results vanish, whole or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from actors.providers.deliveries import DeliveryEvent, Rejected
from actors.providers.replicate.copying import FILES_AT_ONCE
from actors.providers.replicate.downloading import UNFINISHED
from actors.testing.fake_replicate import signed
from logconf import bind_correlation_id
from logconf.testing import capture_logs
from tests.providers.replicate.account import request
from tests.providers.replicate.copying_studio import Sent, Studio, delivery, remarks, settled


async def test_results_are_copied_and_stay(studio: Studio) -> None:
    """After an hour they are gone there, and still here."""
    provider = studio.provider()
    submitted = await studio.ended(provider)
    await settled(provider)
    studio.clock.move(timedelta(hours=2))
    assert studio.files() == {"001-out.txt": f"the output of {submitted.handle['id']}\n".encode()}
    assert studio.left() == []
    await provider.aclose()


async def test_a_restart_forgets_no_copy(studio: Studio) -> None:
    """The pending is on the disk before the end is told: the next process fulfils it."""
    first = studio.provider()
    await studio.ended(first)
    await first.aclose()
    second = studio.provider()
    await settled(second)
    assert list(studio.files()) == ["001-out.txt"]
    await second.aclose()


async def test_the_files_of_a_job_are_downloaded_together_and_a_few_at_once(studio: Studio) -> None:
    at_once = [0, 0]

    async def answer(request: httpx.Request) -> httpx.Response:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await trio.testing.wait_all_tasks_blocked(0.01)
        at_once[0] -= 1
        return httpx.Response(200, content=b"x")

    studio.elsewhere = answer
    provider = studio.provider()
    await studio.ended(provider, [f"https://replicate.delivery/{number}" for number in range(20)])
    await settled(provider)
    assert len(studio.files()) == 20
    assert 1 < at_once[1] <= FILES_AT_ONCE
    await provider.aclose()


async def test_a_copy_that_was_cut_off_leaves_no_half_file_and_goes_on_where_it_was(studio: Studio) -> None:
    """What was there whole is not asked for again; nothing is there under its name before that."""
    asked: list[str] = []
    cut = trio.Event()

    class Endless(Sent):
        async def __anext__(self) -> bytes:
            if self.left == 0:
                cut.set()
                await trio.sleep_forever()
            return await super().__anext__()

    async def answer(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        asked.append(request.url.path)
        return httpx.Response(
            200, stream=Sent(b"whole") if request.url.path == "/a" or cut.is_set() else Endless(b"ha")
        )

    studio.elsewhere = answer
    first = studio.provider()
    await studio.ended(first, ["https://replicate.delivery/a", "https://replicate.delivery/b"])
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.watch, lambda _key: None)
            await cut.wait()
            while not list(studio.root.glob("results/.key-1.part/001-a")):  # noqa: ASYNC110 - a file, which tells nobody
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    await first.aclose()
    assert studio.files() == {}
    part = studio.root / "results" / ".key-1.part"
    assert {path.name for path in part.iterdir()} == {"001-a", f"002-b{UNFINISHED}"}
    second = studio.provider()
    await settled(second)
    assert studio.files() == {"001-a": b"whole", "002-b": b"whole"}
    assert (asked.count("/a"), asked.count("/b")) == (1, 2)
    assert studio.left() == []
    await second.aclose()


async def test_a_copy_that_was_finished_in_the_last_moment_is_kept(studio: Studio) -> None:
    """Killed between the copy and the removal of its pending; the next start comes after the hour."""
    studio.elsewhere = delivery
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/a"])
    pending = (studio.root / "to-copy" / "key-1.json").read_bytes()
    await settled(provider)
    (studio.root / "to-copy" / "key-1.json").write_bytes(pending)
    await provider.aclose()
    studio.clock.move(timedelta(hours=5))
    later = studio.provider()
    await settled(later)
    assert studio.files() == {"001-a": b"weights of /a"}
    assert (studio.left(), remarks(later)) == ([], [])
    await later.aclose()


@pytest.mark.parametrize("output", [None, ["https://replicate.delivery/a"]])
async def test_results_that_have_vanished_are_said_to_have(output: Any, studio: Studio) -> None:
    """Nothing is published as if it had been empty."""
    provider = studio.provider()
    await studio.ended(provider, output)
    studio.clock.move(timedelta(minutes=61))
    await settled(provider)
    assert (studio.files(), studio.left()) == ({}, [])
    assert "no longer has them" in remarks(provider)[0]
    await provider.aclose()


async def test_a_job_whose_copy_hangs_delays_no_other(studio: Studio) -> None:
    """Both ended; the one whose files never come was first."""

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/slow"):
            await trio.sleep_forever()
        return await delivery(request)

    studio.elsewhere = answer
    provider = studio.provider()
    handles = {}
    for key, path in (("key-1", "slow"), ("key-2", "quick")):
        output = [f"https://replicate.delivery/{path}/{number}" for number in range(10)]
        prepared = provider.prepare(request(seconds=10, output=output))
        handles[key] = (await provider.submit(key, key, prepared, {})).handle
    studio.clock.move(timedelta(seconds=11))
    await provider.observe_many(handles)
    done: list[str] = []
    copied = trio.Event()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(provider.watch, lambda key: (done.append(key), copied.set()))
            await copied.wait()
            nursery.cancel_scope.cancel()
    assert done == ["key-2"]
    assert len(list((studio.root / "results" / "key-2").iterdir())) == 10
    await provider.aclose()


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_cannot_be_had_is_tried_again_until_it_has_vanished(status: int, studio: Studio) -> None:
    """A redirect is not followed; the pending copy is kept for another try, and given up after its hour."""

    async def refuse(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        return httpx.Response(status, headers={"location": "https://evil.example/"})

    studio.elsewhere = refuse
    provider = studio.provider()
    await studio.ended(provider, ["https://replicate.delivery/a"])
    assert provider._copies is not None
    (pending,) = provider._copies._all_pending()
    assert not await provider._copies._finish(pending)
    assert studio.files() == {}
    assert [name for name in studio.left() if name.endswith(".json")] == ["key-1.json"]
    studio.clock.move(timedelta(hours=1, minutes=11))
    assert await provider._copies._finish(pending)
    assert studio.left() == []
    assert "evil.example" not in {request.url.host for request in studio.asked}
    await provider.aclose()


async def test_forgetting_a_job_removes_its_copies(studio: Studio) -> None:
    provider = studio.provider()
    submitted = await studio.ended(provider)
    await settled(provider)
    await provider.forget("key-1", submitted.handle)
    assert studio.files() == {}
    await provider.forget("../../etc", submitted.handle)
    await provider.aclose()


async def test_a_delivery_claims_nothing_where_results_are_copied(studio: Studio) -> None:
    """Its end would be told before anybody wrote down that there is something to copy."""
    provider = studio.provider()
    body = b'{"id": "abc", "status": "succeeded"}'
    headers = signed(studio.fake.secret, "msg_1", studio.clock.now(), body)
    reading = provider.read_delivery(headers, [studio.fake.secret], studio.clock.now())
    assert not isinstance(reading, Rejected)
    reading.add(body)
    assert reading.done(body, len(body)) == DeliveryEvent("msg_1", "abc")
    await provider.aclose()


async def test_a_copy_stands_under_the_jobs_correlation_id_after_a_restart_too(studio: Studio) -> None:
    first = studio.provider()
    with bind_correlation_id("of-the-job"):
        await studio.ended(first)
    await first.aclose()
    second = studio.provider()
    with capture_logs() as lines:
        await settled(second)
    await second.aclose()
    copied = [line for line in lines if line["message"].startswith("Copied")]
    assert [line["correlation_id"] for line in copied] == ["of-the-job"]
    asked = [request.headers["x-correlation-id"] for request in studio.asked]
    assert asked
    assert set(asked) == {"of-the-job"}
