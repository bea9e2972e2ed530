"""What becomes of callers while an actor is down, and when none follows."""

from __future__ import annotations

import pytest
import trio

from actors.kernel import Actor, ActorDown, ActorRef, actor_spec
from supervision import Backoff, FaultPlan, RestartIntensityReached, open_supervisor
from tests.kernel.workers import SLOW_RESTART, ask, worker


async def test_a_call_to_a_restarting_actor_queues_and_is_answered_by_the_next_incarnation(autojump_clock):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], backoff=SLOW_RESTART)]):
        ref.cast(ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
        assert ref.state == "waiting"
        assert await ref.call("hello") == "hello"
        assert trio.current_time() == 2


async def test_a_call_to_a_restarting_actor_ends_with_its_deadline(autojump_clock):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], backoff=Backoff(initial=60.0, maximum=60.0, jitter=False))]):
        ref.cast(ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.TooSlowError):
            await ref.call("hello")
        assert trio.current_time() == 5


async def test_stop_child_makes_the_actor_gone_and_restart_child_brings_it_back(autojump_clock):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [])]) as supervisor:
        await supervisor.stop_child("worker")
        with pytest.raises(ActorDown) as caught:
            await ref.call(1)
        assert (caught.value.reason, ref.state) == ("stopped", "gone")
        await supervisor.restart_child("worker")
        assert await ref.call(1) == 1
    assert trio.current_time() == 0


async def test_callers_that_queue_for_a_restart_are_told_at_once_when_the_child_is_parked(autojump_clock):
    ref, errors = ActorRef("worker"), []
    spec = worker(ref, [], on_give_up="park")
    async with trio.open_nursery() as nursery, open_supervisor([spec], max_restarts=0):
        ref.cast(ValueError("crash"))
        nursery.start_soon(ask, ref, errors)
        await trio.testing.wait_all_tasks_blocked()
        assert [(error.reason, str(error.__cause__)) for error in errors] == [("parked", "crash")]
        with pytest.raises(ActorDown, match="parked"):
            await ref.call(1)
    assert trio.current_time() == 0


async def test_callers_that_queue_for_a_restart_are_told_at_once_when_it_is_cancelled_by_hand(autojump_clock):
    """`stop_child` during the back-off: nobody's task ends then, and still every caller is told."""
    ref, errors = ActorRef("worker"), []
    async with trio.open_nursery() as nursery, open_supervisor([worker(ref, [], backoff=SLOW_RESTART)]) as supervisor:
        ref.cast(ValueError("crash"))
        nursery.start_soon(ask, ref, errors)
        await trio.sleep(1)
        assert errors == []
        await supervisor.stop_child("worker")
        await trio.testing.wait_all_tasks_blocked()
        assert [error.reason for error in errors] == ["stopped"]
        assert trio.current_time() == 1


async def test_callers_that_queue_for_a_restart_are_told_at_once_when_the_supervisor_ends(autojump_clock):
    ref, errors = ActorRef("worker"), []
    async with trio.open_nursery() as nursery, open_supervisor([worker(ref, [], backoff=SLOW_RESTART)]):
        ref.cast(ValueError("crash"))
        nursery.start_soon(ask, ref, errors)
        await trio.sleep(1)
    assert [error.reason for error in errors] == ["stopped"]
    assert trio.current_time() == 1


async def test_callers_are_told_at_once_when_the_supervisor_gives_up(autojump_clock):
    ref, errors = ActorRef("worker"), []
    async with trio.open_nursery() as nursery:
        with pytest.raises(RestartIntensityReached):  # noqa: PT012 - it leaves the block's end
            async with open_supervisor([worker(ref, [])], max_restarts=0):
                ref.cast(ValueError("crash"))
                nursery.start_soon(ask, ref, errors)
                await trio.sleep_forever()
    assert [error.reason for error in errors] == ["stopped"]
    assert trio.current_time() == 0


async def test_of_two_that_are_down_only_the_callers_of_the_one_that_is_given_up_are_told(autojump_clock):
    one, two, errors = ActorRef("one"), ActorRef("two"), []
    specs = [worker(ref, [], backoff=SLOW_RESTART) for ref in (one, two)]
    async with trio.open_nursery() as nursery, open_supervisor(specs) as supervisor:
        for ref in (one, two):
            ref.cast(ValueError("crash"))
        nursery.start_soon(ask, two, errors)
        await trio.sleep(1)
        await supervisor.stop_child("two")
        await trio.testing.wait_all_tasks_blocked()
        assert [(error.actor, error.reason) for error in errors] == [("two", "stopped")]
        assert await one.call("hello") == "hello"


async def test_callers_are_told_when_the_stop_begins_not_when_the_last_sibling_is_gone(autojump_clock):
    ref, errors, told = ActorRef("worker"), [], []

    class Slow(Actor):
        async def on_stop(self) -> None:
            await trio.sleep(3)

    async def caller() -> None:
        await ask(ref, errors)
        told.append(trio.current_time())

    specs = [worker(ref, [], backoff=SLOW_RESTART), actor_spec(ActorRef("slow"), Slow)]
    async with trio.open_nursery() as nursery, open_supervisor(specs):
        ref.cast(ValueError("crash"))
        nursery.start_soon(caller)
        await trio.sleep(1)
    assert (told, trio.current_time()) == ([1], 4)


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_an_actor_that_is_cancelled_without_a_request_keeps_its_mailbox_if_it_is_restarted(
    autojump_clock, restart
):
    ref, seen = ActorRef("worker"), []
    with FaultPlan(1).at("receive.before:worker", occurrence=2, do="cancel"):
        async with open_supervisor([worker(ref, seen, restart=restart)]):
            for number in range(4):
                ref.cast(number)
            await trio.testing.wait_all_tasks_blocked()
            assert (seen, ref.state) == ([0, 2, 3], "running")
    assert [(one.envelope.message, one.reason) for one in ref.dead_letters] == [(1, "interrupted")]


async def test_a_message_that_crashed_and_will_not_be_tried_again_is_in_quarantine(autojump_clock):
    """Also if its next try was to come after a restart that does not happen."""

    class Once(Actor):
        redeliver = 1

        async def handle(self, message):
            raise ValueError(message)

    ref = ActorRef("once")
    async with open_supervisor([actor_spec(ref, Once, on_give_up="park")], max_restarts=0):
        ref.cast("poison")
        await trio.testing.wait_all_tasks_blocked()
        assert ref.state == "gone"
    assert ([str(one.cause) for one in ref.quarantine], len(ref.dead_letters)) == (["ValueError: poison"], 0)
