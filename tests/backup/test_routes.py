"""The routes of a restored runtime: how the restore stands, and settling a selection (F3, E1)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx
import trio

from actors.access.peer import Peer
from actors.api.app import create_app
from actors.api.guard import asked_by
from actors.jobs.options import Limits
from actors.providers.base import Idempotency
from actors.providers.scripted import ScriptedOptions
from actors.testing import request
from tests.backup.look_ups import looked_up

NONE = ScriptedOptions(idempotency=Idempotency.NONE)


@asynccontextmanager
async def client_of(runtime):
    transport = httpx.ASGITransport(app=asked_by(create_app(runtime), Peer(1000, "ana")))
    async with httpx.AsyncClient(transport=transport, base_url="http://greenroom") as http:
        yield http


async def test_a_runtime_that_was_never_restored_says_who_it_is(autojump_clock, site):
    async with site.open(site.original) as runtime, client_of(runtime) as http:
        found = (await http.get("/api/restore")).json()
    assert len(found.pop("instance_id")) == 32
    assert found == {
        "restored_at": None, "began_at": None, "original": None, "original_held_by": None, "to_look_up": {},
        "unknown_jobs": [], "unknown_number": 0, "not_listed": {},
    }  # fmt: skip


async def test_a_selection_of_uncertain_jobs_is_settled_and_others_are_left(autojump_clock, site):
    async with site.open(site.original, options=NONE, limits=Limits(total=1)) as runtime:
        await runtime.submit(request(duration=3_000, group="g"))
        jobs = [await runtime.submit(request(duration=10, group="g", config_name=f"j-{number}")) for number in range(3)]
        await trio.sleep(1)
        site.take()
    await site.restore()
    async with site.open(site.new, options=NONE) as runtime, client_of(runtime) as http:
        await looked_up(runtime)
        certain = await runtime.submit(request(duration=10, group="g"))
        restored = (await http.get("/api/restore")).json()
        assert restored["original"] == str(site.original)
        assert restored["to_look_up"] == {}
        dry = (await http.post("/api/jobs/settle", json={"group": "g", "verdict": "not_run", "dry_run": True})).json()
        assert dry["left"] == [job.job_id for job in jobs]
        failed = (await http.post("/api/jobs/settle", json={"name": "j-0", "verdict": "failed"})).json()
        assert [(one["job_id"], one["status"]) for one in failed["results"]] == [(jobs[0].job_id, "failed")]
        back = (await http.post("/api/jobs/settle", json={"group": "g", "verdict": "not_run"})).json()
        assert (back["done"], back["failed"]) == (2, 0)
        none = await http.post("/api/jobs/settle", json={"group": "g", "verdict": "not_run"})
        assert none.status_code == 404
        named = (await http.post("/api/jobs/settle", json={"jobs": [certain.job_id], "verdict": "failed"})).json()
        assert "is not uncertain" in named["results"][0]["problem"]
        assert (await http.post("/api/jobs/settle", json={"group": "g", "verdict": "ran"})).status_code == 422
        assert (await runtime.jobs.row(certain.job_id)).status == "pending"


async def test_the_queue_says_that_it_is_paused_and_why(autojump_clock, site):
    async with site.open(site.original) as runtime:
        await runtime.queue.is_idle()
        site.take()
    await site.restore()
    async with site.open(site.new) as runtime, client_of(runtime) as http:
        job = (await http.post("/api/jobs", json={"provider": "scripted", "user_id": "ana"})).json()
        assert "restored from a backup of" in (await http.get("/api/queue")).json()["paused"]
        shown = (await http.get(f"/api/jobs/{job['job_id']}")).json()
        assert "the queue is paused: restored from a backup of" in shown["reason"]
        assert shown["setting"] == "greenroom queue resume --all"
        assert (await http.post("/api/queue/resume", json={})).json()["paused"] is None
