"""Each fault that can strike a request to Replicate, at each call, against the whole runtime in virtual time.

What must hold in every cell: the job ends as it ended at the provider; it was submitted once; its place was taken
until it ended there, so that under a limit of one no two jobs were ever alive at the provider at the same time.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs.records import JobStatus
from actors.testing.fake_replicate import Fault, FaultKind, Form
from tests.providers.account import Account, account

__all__ = ["account"]

pytestmark = pytest.mark.parts

#: Virtual seconds in which everything has ended in every cell, the longest waits after repeated faults included.
PATIENCE = 3600

FAULTS = {
    "500": Fault(FaultKind.SERVER_ERROR),
    "500 after the work": Fault(FaultKind.SERVER_ERROR, acts=True),
    **{f"429 with its wait in {form}": Fault(FaultKind.RATE_LIMITED, form=form, seconds=7) for form in Form},
    "refused": Fault(FaultKind.REFUSED),
    "hang after the work": Fault(FaultKind.HANG),
    "hang without the work": Fault(FaultKind.HANG, acts=False),
    "lost answer": Fault(FaultKind.LOST_ANSWER),
    "lost question": Fault(FaultKind.LOST_ANSWER, acts=False),
    "cut body": Fault(FaultKind.CUT_BODY),
    "drip": Fault(FaultKind.DRIP, seconds=5),
    "garbage after the work": Fault(FaultKind.GARBAGE),
    "garbage without the work": Fault(FaultKind.GARBAGE, acts=False),
    "unknown status": Fault(FaultKind.UNKNOWN_STATUS),
    "huge body": Fault(FaultKind.HUGE_BODY),
    "redirect": Fault(FaultKind.REDIRECT),
}

CREATE = {"prediction": "/v1/models/ana/*/predictions", "training": "/v1/models/ana/*/trainings"}


def struck(account: Account, call: str, fault: Fault, times: int = 1) -> Fault:
    """``fault``, aimed at that call."""
    method, path = {
        "submit": ("POST", CREATE[account.kind]),
        "find": ("GET", f"/v1/{account.kind}s"),
        "list": ("GET", f"/v1/{account.kind}s"),
        "get": ("GET", f"/v1/{account.kind}s/*"),
        "cancel": ("POST", f"/v1/{account.kind}s/*/cancel"),
    }[call]
    return attrs.evolve(fault, method=method, path=path, times=times)


def strikes(account: Account, fault: Fault) -> int:
    """How many requests that fault met."""
    return sum(call.fault is fault.kind for call in account.fake.requests)


def alive_at_once(account: Account) -> int:
    """How many jobs were alive at the provider at the same moment, at the most."""
    steps = []
    for job in account.made():
        steps += [(job.created_at, 1)] + ([(job.ends_at, -1)] if job.ends_at is not None else [])
    most = alive = 0
    for _, step in sorted(steps):
        alive += step
        most = max(most, alive)
    return most


@pytest.fixture(params=["prediction", "training"])
def kind(request, account):
    account.kind = request.param
    return request.param


@pytest.fixture(params=FAULTS)
def fault(request):
    return FAULTS[request.param]


async def ended(runtime, job):
    with trio.fail_after(PATIENCE):
        return await runtime.wait(job.job_id)


async def test_a_fault_at_submit(autojump_clock, account, kind, fault):
    account.fake.inject(struck(account, "submit", fault))
    async with account.open() as runtime:
        first = await account.submit("first", queue_seconds=5, seconds=60)
        second = await account.submit("second", seconds=10)
        assert (await ended(runtime, first)).status is JobStatus.COMPLETED
        assert (await ended(runtime, second)).status is JobStatus.COMPLETED
    assert [len(account.made(name)) for name in ("first", "second")] == [1, 1]
    assert alive_at_once(account) == 1
    assert strikes(account, fault) == 1
    assert len(account.fake.calls("POST", CREATE[kind])) <= 3  # the struck one, one after it where there is nothing


async def test_a_fault_at_submit_and_another_at_the_search_for_it(autojump_clock, account, kind, fault):
    """The job is there, its answer was lost, and the list in which it must be found is struck, too."""
    account.fake.inject(
        struck(account, "submit", Fault(FaultKind.LOST_ANSWER)), struck(account, "find", fault, times=3)
    )
    async with account.open() as runtime:
        first = await account.submit("first", queue_seconds=5, seconds=600)
        second = await account.submit("second", seconds=10)
        assert (await ended(runtime, first)).status is JobStatus.COMPLETED
        assert (await ended(runtime, second)).status is JobStatus.COMPLETED
    assert any(call.fault is fault.kind for call in account.fake.calls("GET"))
    assert [len(account.made(name)) for name in ("first", "second")] == [1, 1]
    assert alive_at_once(account) == 1


async def test_a_fault_at_get(autojump_clock, account, kind, fault):
    async with account.open() as runtime:
        account.fake.inject(struck(account, "get", fault, times=3))
        first = await account.submit("first", queue_seconds=5, seconds=60)
        second = await account.submit("second", seconds=10)
        assert (await ended(runtime, first)).status is JobStatus.COMPLETED
        assert (await ended(runtime, second)).status is JobStatus.COMPLETED
    assert strikes(account, fault) == 3
    assert [len(account.made(name)) for name in ("first", "second")] == [1, 1]
    assert alive_at_once(account) == 1


async def test_a_fault_at_list(autojump_clock, account, kind, fault):
    async with account.open(total=6) as runtime:
        account.fake.inject(struck(account, "list", fault, times=3))
        jobs = [await account.submit(f"job{number}", queue_seconds=number, seconds=60) for number in range(6)]
        assert {(await ended(runtime, job)).status for job in jobs} == {JobStatus.COMPLETED}
    assert strikes(account, fault) == 3
    assert [len(account.made(f"job{number}")) for number in range(6)] == [1] * 6


async def test_a_fault_at_cancel(autojump_clock, account, kind, fault):
    account.fake.inject(struck(account, "cancel", fault))
    async with account.open() as runtime:
        first = await account.submit("first", queue_seconds=5, seconds=7000)
        second = await account.submit("second", seconds=10)
        await trio.sleep(45)
        await runtime.cancel(first.job_id, by="bo")
        done = await ended(runtime, first)
        assert (await ended(runtime, second)).status is JobStatus.COMPLETED
    assert strikes(account, fault) == 1
    (there,) = account.made("first")
    assert there.canceled_at is not None
    assert done.status is JobStatus.CANCELLED
    assert done.completed_at - there.canceled_at < timedelta(seconds=1)
    assert len(account.made("second")) == 1
    assert alive_at_once(account) == 1


async def test_a_lost_answer_that_nothing_can_settle_keeps_its_place_and_asks_a_person(
    autojump_clock, account, kind, caplog
):
    """No webhook and no input that takes the token: submitted once, held, flagged, never sent again by itself."""
    caplog.set_level(logging.WARNING)
    account.fake.inject(struck(account, "submit", Fault(FaultKind.LOST_ANSWER)))
    async with account.open(token_input=None) as runtime:
        first = await account.submit("first", seconds=60)
        second = await account.submit("second", seconds=10)
        await trio.sleep(PATIENCE)
        assert (await runtime.jobs.get(first.job_id)).job.uncertain_since is not None
        assert (await runtime.health.check()).status == "degraded"
        assert (len(account.made("first")), len(account.made("second"))) == (1, 0)
        await runtime.jobs.settle(first.job_id, "failed", by="bo")
        assert (await ended(runtime, second)).status is JobStatus.COMPLETED
    assert len(account.made("first")) == 1


async def test_an_unknown_status_is_kept_as_it_was_with_a_warning(autojump_clock, account, caplog):
    caplog.set_level(logging.WARNING)
    async with account.open() as runtime:
        job = await account.submit("first", seconds=100)
        await trio.sleep(31)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.RUNNING
        account.fake.inject(struck(account, "get", Fault(FaultKind.UNKNOWN_STATUS)))
        await trio.sleep(30)
        assert (await runtime.jobs.get(job.job_id)).job.status is JobStatus.RUNNING
        assert (await ended(runtime, job)).status is JobStatus.COMPLETED
    assert any("unknown status 'hibernating'" in record.message for record in caplog.records)
