"""How an actor stops: what is queued is drained, an immediate stop ends after the message in hand."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorDown, ActorRef


async def test_stopping_drains_what_is_queued_then(crew):
    ref = await crew.start(ActorRef("worker"))
    go_on = trio.Event()
    for message in (go_on, 1, 2):
        ref.cast(message)
    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop)
    await trio.testing.wait_all_tasks_blocked()
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert crew.seen == [go_on, 1, 2]
    assert (ref.state, len(ref.dead_letters)) == ("gone", 0)


async def test_what_is_sent_during_a_drain_is_not_handled_and_not_lost_in_silence(crew):
    ref = await crew.start(ActorRef("worker"))
    go_on = trio.Event()
    ref.cast(go_on)
    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop)
    await trio.testing.wait_all_tasks_blocked()
    ref.cast("too late")
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert crew.seen == [go_on]
    assert [letter.envelope.message for letter in ref.dead_letters] == ["too late"]


async def test_an_immediate_stop_ends_after_the_message_in_hand(crew):
    """Queued casts are dead letters, queued calls get an error at once."""
    ref = await crew.start(ActorRef("worker"))
    go_on = trio.Event()
    ref.cast(go_on)
    ref.cast("never")
    errors: list[ActorDown] = []

    @crew.nursery.start_soon
    async def caller() -> None:
        with pytest.raises(ActorDown) as caught:
            await ref.call("asked")
        errors.append(caught.value)

    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop, False)
    await trio.testing.wait_all_tasks_blocked()
    assert errors == []
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert crew.seen == [go_on]
    assert [error.reason for error in errors] == ["stopped"]
    assert [letter.envelope.message for letter in ref.dead_letters] == ["never"]


async def test_an_immediate_stop_overtakes_a_drain(crew):
    """System messages are seen before queued ones: a second request, for at once, is heard in the middle."""
    ref = await crew.start(ActorRef("worker"))
    go_on = trio.Event()
    ref.cast(go_on)
    ref.cast("never")
    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop)
    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop, False)
    await trio.testing.wait_all_tasks_blocked()
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (crew.seen, ref.state) == ([go_on], "gone")


async def test_stopping_a_suspended_actor_drains_it_too(crew):
    ref = await crew.start(ActorRef("worker"))
    ref.suspend()
    ref.cast(1)
    await trio.testing.wait_all_tasks_blocked()
    await ref.stop()
    assert crew.seen == [1]


async def test_stopping_twice_or_an_actor_that_is_gone_returns(crew, autojump_clock):
    ref = await crew.start(ActorRef("worker"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ref.stop)
        nursery.start_soon(ref.stop)
    await ref.stop()
    assert trio.current_time() == 0


async def test_stopping_one_that_was_never_started_returns(autojump_clock):
    ref = ActorRef("never")
    await ref.stop()
    assert ref.state == "waiting"


async def test_an_actor_may_stop_itself(crew):
    class Single(Actor):
        async def handle(self, message: Any) -> Any:
            await self.ref.stop()
            return message

    ref = await crew.start(ActorRef("single"), Single)
    assert await ref.call("only") == "only"
    assert (await ref.monitor().wait()).reason == "stopped"


async def test_a_suspension_does_not_put_off_a_stop_that_was_asked_for(crew, autojump_clock):
    class Slow(Actor):
        async def handle(self, message: Any) -> Any:
            await trio.sleep(1)

    ref = await crew.start(ActorRef("slow"), Slow)
    for number in range(3):
        ref.cast(number)
    crew.nursery.start_soon(ref.stop)
    await trio.sleep(0.5)
    ref.suspend()
    await trio.sleep(10)
    assert ref.state == "gone"


async def test_an_actor_that_stops_itself_from_a_nursery_in_a_handler_does_not_wait(crew):
    class Ending(Actor):
        async def handle(self, message: Any) -> Any:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.ref.stop)

    ref = await crew.start(ActorRef("ending"), Ending)
    ref.cast("go")
    await trio.testing.wait_all_tasks_blocked()
    assert ref.state == "gone"
