"""How changes of jobs are written: what a person says is bounded whichever way it comes, an event names its cycle."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import trio

import actors.ledger
from actors.jobs import maxima
from actors.jobs.refusal import Refused
from actors.ledger.approvals import cancel
from actors.ledger.limits import pause
from actors.store import Transaction
from logconf import bind_correlation_id


def verbs():
    for module in pkgutil.iter_modules(actors.ledger.__path__):
        for name, found in vars(importlib.import_module(f"actors.ledger.{module.name}")).items():
            if inspect.isfunction(found) and not name.startswith("_") and found.__module__.endswith(module.name):
                yield found, inspect.signature(found)


def test_what_a_person_says_comes_to_a_verb_by_keyword_where_the_ledger_bounds_it():
    by_people = [(verb, signature) for verb, signature in verbs() if "by" in signature.parameters]
    assert len(by_people) >= 10
    for verb, signature in by_people:
        assert next(iter(signature.parameters.values())).annotation == Transaction.__name__, verb
        for name in maxima.SAID.keys() & signature.parameters.keys():
            assert signature.parameters[name].kind is inspect.Parameter.KEYWORD_ONLY, f"{verb.__qualname__}: {name}"


async def test_a_name_or_a_reason_beyond_its_maximum_is_refused_and_nothing_is_kept(autojump_clock, world):
    async with world.open() as runtime:
        for said in ({"by": "x" * 100_000, "reason": ""}, {"by": "ana", "reason": "x" * 100_000}):
            with pytest.raises(Refused):
                await runtime.ledger.write(pause, None, **said)
        assert await world.events() == []


async def test_events_name_the_cycle_that_changed_their_job_also_where_several_share_one_transaction(
    autojump_clock, world
):
    transactions = set()

    async def cancelled_in(runtime, cycle, job_id):
        def act(tx):
            transactions.add(tx)
            cancel(tx, job_id, by="ana", level="admin")

        with bind_correlation_id(cycle):
            await runtime.ledger.write(act)

    async with world.open() as runtime:
        jobs = {f"cycle-{number}": (await world.submit(requires_approval="look")).job_id for number in range(3)}
        async with trio.open_nursery() as nursery:
            for cycle, job_id in jobs.items():
                nursery.start_soon(cancelled_in, runtime, cycle, job_id)
        ends = [event for event in await world.events() if event.type == "job_status_changed"]
    assert {event.data["cycle_id"]: event.job_id for event in ends} == jobs
    assert len(transactions) == 1
