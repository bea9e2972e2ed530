"""Which jobs a selection means: by their status, in the order in which something is done to them, nobody else's."""

from __future__ import annotations

import pytest
import trio

from actors.job_requests.rights import Submitter
from actors.job_requests.sources import RequestSource
from actors.jobs import selections as records
from actors.jobs.options import Limits
from actors.jobs.records import JobStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.selections import Action, Selection
from actors.jobs.views import EVERYTHING, Viewer
from actors.ledger import selections
from actors.providers.base import Idempotency
from actors.providers.scripted import Fault, FaultKind, ScriptedOptions

ANA, STRANGER = Viewer("ana", only_own=True), Viewer("eve", only_own=True)


async def chosen(runtime, selection, action, viewer=EVERYTHING):
    found = await runtime.ledger.read(selections.choose, selection, action, viewer)
    return [one.job_id for one in found.jobs], found.left_out


@pytest.fixture
async def waiting(autojump_clock, world):
    """Two jobs of ana and one of bo that wait for ever."""
    async with world.open(limits=Limits(total=0)) as runtime:
        users = [("ana", "a-1"), ("ana", "b-1"), ("bo", "a-2")]
        yield runtime, [(await world.submit(user_id=user, config_name=name)).job_id for user, name in users]


async def test_the_newest_is_cancelled_first_and_else_the_oldest_comes_first(waiting):
    runtime, (first, second, third) = waiting
    assert await chosen(runtime, Selection(name="*"), Action.CANCEL) == ([third, second, first], 0)
    assert await chosen(runtime, Selection(name="*"), Action.PRIORITISE) == ([first, second, third], 0)
    assert await chosen(runtime, Selection(name="a-*"), Action.CANCEL) == ([third, first], 0)
    assert await chosen(runtime, Selection(user_id="ana"), Action.CANCEL) == ([second, first], 0)
    both = Selection(statuses=(JobStatus.PENDING, JobStatus.FAILED))
    assert await chosen(runtime, both, Action.CANCEL) == ([third, second, first], 0)


async def test_who_sees_only_their_own_jobs_chooses_among_these(waiting):
    runtime, (first, second, third) = waiting
    assert await chosen(runtime, Selection(name="*"), Action.CANCEL, ANA) == ([second, first], 0)
    assert await chosen(runtime, Selection(user_id="ana"), Action.CANCEL, ANA) == ([second, first], 0)
    with pytest.raises(Refused, match="needs level lead") as refused:
        await chosen(runtime, Selection(user_id="bo"), Action.CANCEL, ANA)
    assert (refused.value.kind, refused.value.field) == (RefusalKind.FORBIDDEN, "user_id")
    for hidden in (Selection(jobs=(third,)), Selection(jobs=("a-2",))):
        with pytest.raises(Refused, match="there is no job"):
            await chosen(runtime, hidden, Action.CANCEL, ANA)


async def test_jobs_that_are_named_are_taken_each_once_in_the_order_given_whatever_their_status(waiting):
    runtime, (first, second, _) = waiting
    named = Selection(jobs=(second, "a-1", first))
    assert await chosen(runtime, named, Action.RETRY) == ([second, first], 0)
    assert await chosen(runtime, named, Action.REMOVE, ANA) == ([second, first], 0)


@pytest.mark.parametrize(
    ("selection", "action", "message"),
    [
        (Selection(), Action.CANCEL, "say which jobs"),
        (Selection(jobs=("a-1",), name="*"), Action.CANCEL, "not both"),
        (Selection(name="*"), Action.RETRY, r"no job that can be submitted again fits --name '\*'$"),
        (Selection(statuses=(JobStatus.FAILED,)), Action.CANCEL, "no job that can be cancelled fits --status failed$"),
        (Selection(name="*"), Action.SETTLE, "no job that can be settled"),
        (Selection(name="a-11"), Action.CANCEL, "did you mean a-1"),
        (Selection(group="nigth"), Action.CANCEL, "fits --group 'nigth'$"),
    ],
)
async def test_a_selection_of_nothing_is_refused_with_a_guess(waiting, selection, action, message):
    runtime, _ = waiting
    with pytest.raises(Refused, match=message):
        await chosen(runtime, selection, action)


async def test_so_many_jobs_are_chosen_and_not_one_more(waiting, monkeypatch):
    runtime, jobs = waiting
    monkeypatch.setattr(selections, "MOST", 3)
    assert len((await chosen(runtime, Selection(name="*"), Action.CANCEL))[0]) == 3
    monkeypatch.setattr(selections, "MOST", 2)
    with pytest.raises(Refused, match="more than 2 jobs fit"):
        await chosen(runtime, Selection(name="*"), Action.CANCEL)
    monkeypatch.setattr(records, "MOST", 2)
    with pytest.raises(Refused, match="at most 2 at once, not 3"):
        await chosen(runtime, Selection(jobs=tuple(jobs)), Action.CANCEL)


async def test_what_was_submitted_again_is_left_out_of_another_retry(autojump_clock, world):
    async with world.open() as runtime:
        jobs = [(await world.submit(duration=1, result="failed")).job_id for _ in range(2)]
        for one in jobs:
            await runtime.wait(one)
        again = await runtime.jobs.retry(jobs[0])
        await runtime.wait(again.job_id)
        both = Selection(statuses=(JobStatus.FAILED,))
        assert await chosen(runtime, both, Action.RETRY) == ([jobs[1], again.job_id], 1)
        assert await chosen(runtime, both, Action.REMOVE) == ([*jobs, again.job_id], 0)
        await runtime.jobs.retry(jobs[1])
        await runtime.jobs.retry(again.job_id)
        with pytest.raises(Refused, match=r"3 left out: submitted again before"):
            await chosen(runtime, both, Action.RETRY)


async def test_what_another_person_submitted_again_is_still_the_owners_to_retry(autojump_clock, world):
    """A retry is a job of the person who made it, and the owner may not even see it."""
    async with world.open() as runtime:
        job = (await world.submit(duration=1, result="failed", user_id="ana")).job_id
        await runtime.wait(job)
        again = await runtime.jobs.retry(job, submitter=Submitter(RequestSource.TCP, "lea", "lead"))
        assert again.request.user_id == "lea"
        failed = Selection(statuses=(JobStatus.FAILED,), user_id="ana")
        assert await chosen(runtime, failed, Action.RETRY, ANA) == ([job], 0)
        with pytest.raises(Refused, match="1 left out: submitted again before"):
            await chosen(runtime, failed, Action.RETRY, Viewer("lea"))


async def test_only_uncertain_jobs_are_chosen_to_be_settled(autojump_clock, world):
    world.remote.inject(Fault(FaultKind.LOST_ANSWER, ("submit",), times=1, accepted=False))
    async with world.open(options=ScriptedOptions(idempotency=Idempotency.NONE)) as runtime:
        lost = await world.submit(duration=500)
        await trio.sleep(1)
        await world.submit(duration=500)
        await trio.sleep(100)
        assert await chosen(runtime, Selection(user_id="ana"), Action.SETTLE) == ([lost.job_id], 0)
        assert len((await chosen(runtime, Selection(user_id="ana"), Action.CANCEL))[0]) == 2
        with pytest.raises(Refused, match="no job that can be settled"):
            await chosen(runtime, Selection(name="*"), Action.SETTLE, STRANGER)
