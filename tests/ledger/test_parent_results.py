"""What a job is told of those that it waited for, and how much of it."""

from __future__ import annotations

import json

import pytest
import trio

from actors.ledger import parent_results
from actors.ledger.base import change, load
from actors.providers.scripted import ScriptedOptions
from actors.store import submissions
from tests.ledger.dependencies import FREE, named, submitted


async def told(runtime, job):
    text = await runtime.ledger.read(parent_results.parent_results, job.job_id)
    return None if text is None else json.loads(text)


async def test_each_parent_in_the_order_of_submission_with_what_it_left(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        one, other, last = await submitted(
            runtime,
            named("one", progress=1),
            named("other", result="failed"),
            named("last", "one", "other", after_mode="ended"),
        )
        await runtime.wait(last.job_id)
        found = await told(runtime, last)
        assert [(parent["job_id"], parent["name"], parent["status"]) for parent in found] == [
            (one.job_id, "one", "completed"), (other.job_id, "other", "failed"),
        ]  # fmt: skip
        assert all(parent["output_dir"] is None for parent in found)  # it ran elsewhere
        assert all(set(parent) == {"job_id", "name", "status", "output_dir", "result"} for parent in found)
        assert await told(runtime, one) is None


async def test_the_provider_is_told_of_them_and_others_of_nothing(autojump_clock, world):
    async with world.open(limits=FREE) as runtime:
        one, last = await submitted(runtime, named("one"), named("last", "one"))
        await runtime.wait(last.job_id)
        contexts = {run.context["job_id"]: run.context for run in world.remote.runs}
        assert "parents" not in contexts[one.job_id]
        assert [parent["name"] for parent in json.loads(contexts[last.job_id]["parents"])] == ["one"]
        assert "home" not in contexts[last.job_id]  # a runtime in memory has no state directory


async def test_results_have_a_bound_in_all_and_what_is_left_out_says_so(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(parent_results, "MOST_RESULTS", 60)
    async with world.open(limits=FREE, options=ScriptedOptions(cpus=None)) as runtime:
        *some, last = await submitted(
            runtime, *(named(f"t{index}") for index in range(4)), named("last", *(f"t{index}" for index in range(4)))
        )
        await runtime.wait(last.job_id)
        await trio.sleep(1)
        await runtime.ledger.write(_leave_results, [job.job_id for job in some])
        found = await told(runtime, last)
        kept = [parent["result"] for parent in found if parent["result"] is not None]
        assert 0 < len(kept) < 4
        assert [bool(parent.get("result_left_out")) for parent in found] == [False] * len(kept) + [True] * (
            4 - len(kept)
        )


def _leave_results(tx, job_ids):
    for job_id in job_ids:
        change(tx, load(tx, job_id), job={"result": {"note": "some words"}})


@pytest.mark.parametrize(
    ("output_url", "handle", "output_dir"),
    [
        ("file:///home/ana/out%20put", None, "/home/ana/out put"),
        ("file://elsewhere/home/ana", None, None),
        ("https://store.example/home/ana", None, None),
        (None, None, None),
        (None, {"directory": "/state/jobs/1"}, "/state/jobs/1/output"),
        ("https://store.example/x", {"directory": "/state/jobs/1"}, "/state/jobs/1/output"),
        (None, {"directory": 5}, None),
        (None, {"other": "/x"}, None),
    ],
)
async def test_where_the_output_of_a_parent_lies_on_this_machine(autojump_clock, world, output_url, handle, output_dir):
    async with world.open(limits=FREE) as runtime:
        one, last = await submitted(runtime, named("one"), named("last", "one"))
        await runtime.wait(last.job_id)
        key = (await runtime.jobs.get(one.job_id)).submission.key

        def left(tx):
            change(tx, load(tx, one.job_id), job={"output_url": output_url})
            submissions.change(tx.connection, key, handle=handle)

        await runtime.ledger.write(left)
        assert [parent["output_dir"] for parent in await told(runtime, last)] == [output_dir]


@pytest.mark.parametrize(("more", "left_out"), [(0, [False, False]), (-1, [False, True])])
async def test_results_that_fill_the_bound_are_told_and_with_one_byte_more_not(
    autojump_clock, world, monkeypatch, more, left_out
):
    monkeypatch.setattr(parent_results, "MOST_RESULTS", 2 * len(b'{"note":"some words"}') + more)
    async with world.open(limits=FREE) as runtime:
        *some, last = await submitted(runtime, named("a"), named("b"), named("last", "a", "b"))
        await runtime.wait(last.job_id)
        await runtime.ledger.write(_leave_results, [job.job_id for job in some])
        assert [bool(parent.get("result_left_out")) for parent in await told(runtime, last)] == left_out
