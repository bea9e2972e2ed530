"""No caller waits for ever: whatever happens between a call and its answer, the caller gets a reason."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from actors.kernel import Actor, ActorDown, ActorRef, CallTimeout, actor_spec
from supervision import FaultPlan, open_supervisor
from tests.kernel.workers import worker


class Busy(Actor):
    """Works without turning the event loop, as a long computation does; dies of poison."""

    def __init__(self, clock: trio.testing.MockClock) -> None:
        self.clock = clock

    async def handle(self, message: Any) -> Any:
        if message == "busy":
            self.clock.jump(6)
        if message == "poison":
            raise ValueError(message)
        return message


async def test_a_call_whose_time_passed_in_the_mailbox_is_answered_even_if_the_actor_dies_at_once(autojump_clock):
    """The loop has not turned since, so the timer of the deadline has had no turn either."""
    ref = ActorRef("busy")
    async with trio.open_nursery() as nursery:
        ref.cast("busy")

        @nursery.start_soon
        async def caller() -> None:
            with pytest.raises(CallTimeout, match="deadline had passed before its turn"):
                await ref.call("x")

        await trio.testing.wait_all_tasks_blocked()
        ref.cast("poison")
        async with open_supervisor([actor_spec(ref, lambda: Busy(autojump_clock), restart="temporary")]):
            await trio.testing.wait_all_tasks_blocked()
            assert nursery.child_tasks == frozenset()


async def test_a_caller_who_extends_the_deadline_of_a_call_that_was_skipped_is_told_at_once(crew, autojump_clock):
    ref = await crew.start(ActorRef("slow"))
    go_on = trio.Event()
    ref.cast(go_on)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(2) as scope:

            @nursery.start_soon
            async def extend() -> None:
                await trio.sleep(1)
                scope.deadline += 100
                await trio.sleep(2)
                go_on.set()

            with pytest.raises(CallTimeout, match="skipped"):
                await ref.call("x")
    assert trio.current_time() == 3


async def test_a_call_that_meets_an_actor_which_ends_on_the_way_to_it_fails_at_once(autojump_clock):
    """On the way: at the fault point of a call, where a test may delay it."""
    ref = ActorRef("a")
    with FaultPlan(1).at("call.before:a", occurrence=1, do="delay", delay=2):
        async with open_supervisor([worker(ref, [])]) as supervisor, trio.open_nursery() as nursery:

            @nursery.start_soon
            async def caller() -> None:
                with pytest.raises(ActorDown):
                    await ref.call("x")
                assert trio.current_time() == 2

            await trio.sleep(1)
            await supervisor.stop_child("a")
    assert len(ref.mailbox) == 0


async def test_a_start_that_fails_by_an_injected_fault_ends_the_actor_as_a_real_one_does(autojump_clock):
    ref = ActorRef("a")
    with FaultPlan(1).at("start.before:a", occurrence=2):
        async with open_supervisor([worker(ref, [], on_give_up="park")], max_restarts=1):
            ref.cast(ValueError("crash"))
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(ActorDown, match="parked"):
                await ref.call("x")
    assert trio.current_time() == 0


async def test_an_actor_that_cannot_describe_itself_fails_and_says_so_to_who_asked(crew, autojump_clock):
    class Shy(Actor):
        def describe(self) -> dict[str, Any]:
            raise LookupError("no description")

    ref = await crew.start(ActorRef("shy"), Shy)
    with pytest.raises(ActorDown, match="no description"):
        await ref.inspect()
    assert [type(error) for error in crew.crashes] == [LookupError]
    assert trio.current_time() == 0
