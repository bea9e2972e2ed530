"""Asking an actor: replies, errors, and calls that cannot be answered."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import (
    Actor,
    ActorDown,
    ActorError,
    ActorRef,
    CallToSelf,
    ErrorReply,
    Registry,
    UnknownActor,
    run_actor,
)


async def test_a_call_returns_what_the_handler_returned(crew):
    ref = await crew.start(ActorRef("echo"))
    assert await ref.call("hello") == "hello"


async def test_a_reply_of_none_is_a_reply(crew):
    ref = await crew.start(ActorRef("echo"))
    assert await ref.call(None) is None


async def test_calls_are_answered_in_the_order_of_each_sender(crew):
    ref = await crew.start(ActorRef("echo"))
    for n in range(3):
        ref.cast(n)
    assert await ref.call(3) == 3
    assert crew.seen == [0, 1, 2, 3]


async def test_an_exception_in_the_handler_reaches_the_caller_as_the_cause(crew):
    """And fails the actor: the caller gets the reason at once, not a time-out."""
    ref = await crew.start(ActorRef("fragile"))
    with pytest.raises(ActorDown, match="KeyError: 'no such'") as caught:
        await ref.call(KeyError("no such"))
    assert caught.value.reason == "failed"
    assert isinstance(caught.value.__cause__, KeyError)
    assert [type(error) for error in crew.crashes] == [KeyError]


async def test_an_error_reply_is_raised_in_the_caller_and_the_actor_lives(crew):
    class Strict(Actor):
        async def handle(self, message: Any) -> Any:
            return ErrorReply(ValueError("must be even")) if message % 2 else message

    ref = await crew.start(ActorRef("strict"), Strict)
    with pytest.raises(ValueError, match="must be even"):
        await ref.call(1)
    assert await ref.call(2) == 2


async def test_an_error_reply_to_a_cast_is_logged_since_nobody_waits(crew, caplog):
    class Strict(Actor):
        async def handle(self, message: Any) -> Any:
            return ErrorReply(ValueError("must be even"))

    ref = await crew.start(ActorRef("strict"), Strict)
    ref.cast(1)
    await trio.testing.wait_all_tasks_blocked()
    assert "must be even" in caplog.text


async def test_an_unexpected_message_is_logged_and_answered_with_an_error(crew, caplog):
    class Mute(Actor):
        pass

    ref = await crew.start(ActorRef("mute"), Mute)
    with pytest.raises(ActorError, match="does not understand str"):
        await ref.call("what?")
    assert "Unexpected message" in caplog.text


async def test_a_call_to_an_actor_that_is_gone_fails_at_once(crew, autojump_clock):
    ref = await crew.start(ActorRef("short"))
    await ref.stop()
    with pytest.raises(ActorDown) as caught:
        await ref.call(1)
    assert (caught.value.reason, trio.current_time()) == ("stopped", 0)


async def test_a_call_to_an_unknown_name_fails_at_once_with_a_suggestion(autojump_clock):
    registry = Registry()
    registry.actor("scheduler")
    with pytest.raises(UnknownActor) as caught:
        await registry.call("sheduler", 1)
    assert caught.value.suggestion == "scheduler"
    assert trio.current_time() == 0


async def test_a_call_to_an_actor_not_started_yet_waits_for_it(crew):
    ref = ActorRef("late")
    replies: list[Any] = []

    async def caller() -> None:
        replies.append(await ref.call("hello"))

    crew.nursery.start_soon(caller)
    await trio.testing.wait_all_tasks_blocked()
    await crew.start(ref)
    await trio.testing.wait_all_tasks_blocked()
    assert replies == ["hello"]


async def test_a_call_to_an_actor_that_is_stopped_while_it_works_on_it_fails_at_once(autojump_clock):
    ref = ActorRef("interrupted")
    errors: list[ActorDown] = []

    class Waiter(Actor):
        async def handle(self, message: trio.Event) -> None:
            await message.wait()

    async def caller() -> None:
        with pytest.raises(ActorDown) as caught:
            await ref.call(trio.Event())
        errors.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caller)
        with trio.move_on_after(1):
            await run_actor(ref, Waiter)
    assert [error.reason for error in errors] == ["interrupted"]
    assert trio.current_time() == 1


async def test_an_actor_that_calls_itself_gets_an_error_at_once(crew, autojump_clock):
    """Instead of waiting for a reply that only it can give; the tasks of a nursery inside the handler too."""
    errors: list[CallToSelf] = []

    class Selfish(Actor):
        async def handle(self, message: str) -> None:
            if message == "direct":
                await self.ask()
            elif message == "nested":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.ask)

        async def ask(self) -> None:
            with pytest.raises(CallToSelf) as caught:
                await self.ref.call("inner")
            errors.append(caught.value)

    ref = await crew.start(ActorRef("selfish"), Selfish)
    await ref.call("direct")
    await ref.call("nested")
    assert len(errors) == 2
    assert trio.current_time() == 0


async def test_work_beside_the_mailbox_may_call_its_own_actor(crew):
    replies: list[Any] = []

    class Concurrent(Actor):
        concurrent = True

        async def handle(self, message: Any) -> Any:
            if message == "begin":
                self.nursery.start_soon(self.work)
                await trio.testing.wait_all_tasks_blocked()  # the call is made while this message is being handled
            return message

        async def work(self) -> None:
            replies.append(await self.ref.call("inner"))

    ref = await crew.start(ActorRef("concurrent"), Concurrent)
    await ref.call("begin")
    await trio.testing.wait_all_tasks_blocked()
    assert replies == ["inner"]


async def test_an_actor_runs_once_at_a_time(crew):
    ref = await crew.start(ActorRef("one"))
    with pytest.raises(RuntimeError, match="two incarnations"):
        await run_actor(ref, Actor)
    assert await ref.call(1) == 1
