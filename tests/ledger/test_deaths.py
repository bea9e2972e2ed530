"""A hand-over that kills the process is not tried without end, and the jobs beside it are not taken for the culprit."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs.options import Limits
from actors.jobs.records import JobStatus, Resources, Submission, SubmissionState
from actors.jobs.scheduling import Head, Lane, Pick
from actors.kernel import VirtualClock
from actors.ledger.deaths import keep_suspects_apart
from actors.providers.scripted import Fault, FaultKind, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, open_runtime
from actors.store import InlineExecutor, deaths, submissions
from actors.testing import request, seeded_sources, virtual_settings


class Died(Exception):
    """The process is gone."""


class Deadly(ScriptedProvider):
    """Whoever hands over a job of user ``killer`` dies of it: as a library that crashes in native code."""

    deaths = 0
    died = trio.Event()

    async def submit(self, key, token, prepared, context):
        if prepared.body["user_id"] == "killer":
            Deadly.deaths += 1
            Deadly.died.set()
            await trio.sleep_forever()
        return await super().submit(key, token, prepared, context)


@pytest.fixture(autouse=True)
def alive():
    Deadly.deaths = 0


@attrs.define
class Machine:
    """One state directory, and what outlives the processes on it."""

    path: object
    clock: VirtualClock = attrs.field(factory=VirtualClock)
    remote: ScriptedRemote = attrs.field(init=False)
    starts: int = 0

    def __attrs_post_init__(self):
        self.remote = ScriptedRemote(lambda: self.clock.now())

    def open(self):
        self.starts += 1
        Deadly.died = trio.Event()
        providers = [
            Deadly(remote=self.remote),
            ScriptedProvider(remote=ScriptedRemote(lambda: self.clock.now()), name="other"),
        ]
        settings = attrs.evolve(virtual_settings(limits=Limits(total=20, per_user=20)), state_dir=self.path)
        parts = Parts(
            clock=self.clock, executor=InlineExecutor(), sources=seeded_sources(self.starts), providers=providers
        )
        return open_runtime(settings, parts)

    async def run(self, work=None, *, at_most=60.0):
        """A process, ``work`` first: whether it died of a hand-over; else it is stopped after ``at_most`` seconds."""
        died = False
        try:
            async with self.open() as runtime:
                if work is not None:
                    await work(runtime)
                with trio.move_on_after(at_most):
                    await Deadly.died.wait()
                    runtime.quiesce = no_goodbye
                    raise Died
        except* Died:
            died = True
        return died

    async def run_until_it_lives(self, *, at_most=60.0):
        """How many starts died before one did not."""
        for died in range(10):
            if not await self.run(at_most=at_most):
                return died
        raise AssertionError("every start dies")


async def no_goodbye():
    """Who dies says none."""


@pytest.fixture
async def machine(tmp_path):
    return Machine(tmp_path)


def submitting(ids, *requests):
    async def work(runtime):
        ids.extend([accepted.job.job_id for accepted in await runtime.jobs.submit_many(requests)])

    return work


async def ended(runtime, job_id):
    """The job at its end, within an hour of virtual time."""
    with trio.fail_after(3600):
        return await runtime.wait(job_id)


async def test_after_three_deaths_the_job_is_uncertain_with_this_reason_and_the_others_go_on(machine, autojump_clock):
    ids = []
    assert await machine.run(submitting(ids, request(user_id="killer"), request(duration=5)))
    assert await machine.run_until_it_lives() == 2
    assert Deadly.deaths == 3
    async with machine.open() as runtime:
        killer = (await runtime.jobs.get(ids[0])).job
        assert "3 starts of the supervisor ended while this job was handed over" in killer.uncertain_reason
        assert "scripted" in killer.uncertain_reason
        assert (await ended(runtime, ids[1])).status is JobStatus.COMPLETED
        later = await runtime.submit(request(duration=1))
        assert (await ended(runtime, later.job_id)).status is JobStatus.COMPLETED
        assert (await runtime.health.check()).uncertain_jobs == (ids[0],)


async def test_jobs_that_were_in_hand_over_beside_it_are_cleared_one_at_a_time(machine, autojump_clock):
    """All calls are slow, so all are under way when the process dies; only one of them is to blame."""
    machine.remote.inject(Fault(FaultKind.SLOW, ("submit",), times=None, seconds=2))
    innocent = [request(user_id=f"u{number}", duration=5) for number in range(3)]
    ids = []
    assert await machine.run(submitting(ids, *innocent[:2], request(user_id="killer"), innocent[2]))
    assert await machine.run_until_it_lives() == 2
    async with machine.open() as runtime:
        killer = ids.pop(2)
        for job_id in ids:
            job = await ended(runtime, job_id)
            assert (job.status, job.uncertain_reason) == (JobStatus.COMPLETED, None)
        assert (await runtime.jobs.get(killer)).job.uncertain_since is not None
    assert sorted(run.context["job_id"] for run in machine.remote.runs) == sorted(ids)


async def test_two_that_kill_are_both_found(machine, autojump_clock):
    ids = []
    killers = [request(user_id="killer"), request(user_id="killer")]
    assert await machine.run(submitting(ids, *killers, request(duration=5)))
    assert await machine.run_until_it_lives() == 4
    async with machine.open() as runtime:
        assert set((await runtime.health.check()).uncertain_jobs) == set(ids[:2])
        assert (await ended(runtime, ids[2])).status is JobStatus.COMPLETED


async def test_a_stop_in_order_is_no_death_however_often_it_meets_the_same_hand_over(machine, autojump_clock):
    machine.remote.inject(Fault(FaultKind.HANG, ("submit",), times=5, accepted=False))
    ids = []
    assert not await machine.run(submitting(ids, request(duration=5)), at_most=1)
    for _ in range(4):
        assert not await machine.run(at_most=1)
    async with machine.open() as runtime:
        assert (await ended(runtime, ids[0])).status is JobStatus.COMPLETED


async def test_after_a_persons_word_it_is_handed_over_again_and_blamed_again(machine, autojump_clock):
    ids = []
    assert await machine.run(submitting(ids, request(user_id="killer")))
    assert await machine.run_until_it_lives() == 2

    async def settle(runtime):
        await runtime.jobs.settle(ids[0], "not_run", by="ana")

    assert await machine.run(settle)
    assert await machine.run_until_it_lives() == 1
    async with machine.open() as runtime:
        assert (await runtime.jobs.get(ids[0])).job.uncertain_since is not None


async def test_a_suspected_job_whose_hand_over_hangs_holds_the_others_up_for_half_a_minute_at_most(
    machine, autojump_clock
):
    ids = []
    assert await machine.run(submitting(ids, request(user_id="killer")))
    async with machine.open() as runtime:  # from here on nothing dies of it: it hangs
        await trio.sleep(2)
        assert [submission.job_id for submission in await runtime.ledger.read(submissions.intents)] == ids
        began = trio.current_time()
        other = await runtime.submit(request("other", duration=1))
        assert (await ended(runtime, other.job_id)).status is JobStatus.COMPLETED
        assert trio.current_time() - began <= 40


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_clock_that_is_stepped_lets_them_wait_no_longer_and_no_less(machine, hours, autojump_clock):
    ids = []
    assert await machine.run(submitting(ids, request(user_id="killer")))
    async with machine.open() as runtime:  # from here on nothing dies of it: it hangs
        await trio.sleep(2)
        machine.clock.move(timedelta(hours=hours))
        began = trio.current_time()
        other = await runtime.submit(request("other", duration=1))
        assert (await ended(runtime, other.job_id)).status is JobStatus.COMPLETED
        assert 20 <= trio.current_time() - began <= 40


@pytest.mark.parametrize(("seconds", "waits"), [(0, True), (29, True), (30, False), (-10, True)])
async def test_others_wait_for_half_a_minute_while_a_suspected_job_is_being_submitted(
    autojump_clock, world, seconds, waits
):
    async with world.open(limits=Limits(total=0)) as runtime:
        suspected, other = [await world.submit(config_name=name) for name in ("suspected", "other")]
        heads = [Head(job.job_id, job.created_at, number) for number, job in enumerate((suspected, other))]
        lane = Lane(1, "ana", None, None, "scripted", Resources(), 0, None, 2, heads[0])
        picks = [Pick(lane, head) for head in heads]

        def looked(tx):
            deaths.blame(tx.connection, [suspected.job_id])
            assert keep_suspects_apart(tx, picks) == picks[1:]  # it is not claimed with others
            assert keep_suspects_apart(tx, picks[:1]) == picks[:1]
            intent_at = tx.now - timedelta(seconds=seconds)
            key = f"{suspected.job_id}-1"
            intent = Submission(suspected.job_id, key, "token", SubmissionState.INTENT, intent_at)
            submissions.put(tx.connection, [intent])
            return keep_suspects_apart(tx, picks[1:]), keep_suspects_apart(tx, picks[:1])

        others, alone = await runtime.ledger.write(looked)
        assert (list(others), list(alone)) == ([] if waits else picks[1:], [])
