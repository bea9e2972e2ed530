"""Deadlines of calls, and calls to a mailbox that is full."""

from __future__ import annotations

import pytest
import trio

from actors.kernel import ActorRef, CallTimeout, Mailbox, MailboxFull


async def test_without_a_deadline_of_its_own_a_call_ends_after_the_default(crew, autojump_clock):
    """CallTimeout is trio's TooSlowError too, and names the way to another deadline."""
    ref = await crew.start(ActorRef("slow"))
    with pytest.raises(CallTimeout, match="fail_after") as caught:
        await ref.call(trio.Event())
    assert trio.current_time() == 5.0
    assert isinstance(caught.value, trio.TooSlowError)


async def test_the_callers_scope_is_the_deadline_where_there_is_one(crew, autojump_clock):
    """Shorter or longer than the default."""
    ref = await crew.start(ActorRef("slow"))
    with trio.move_on_after(60) as scope:
        await ref.call(trio.Event())
    assert scope.cancelled_caught
    assert trio.current_time() == 60


async def test_each_of_many_calls_has_its_own_default_deadline(crew, autojump_clock):
    """One timer serves them all: each ends five seconds after it began, whatever the others do."""
    ref = await crew.start(ActorRef("slow"))
    ended: list[tuple[int, float]] = []

    async def caller(number: int) -> None:
        await trio.sleep(number)
        with pytest.raises(CallTimeout):
            await ref.call(trio.Event())
        ended.append((number, trio.current_time()))

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(caller, number)
    assert ended == [(0, 5.0), (1, 6.0), (2, 7.0), (3, 8.0)]


async def test_the_timer_ends_with_its_calls(crew, autojump_clock):
    """No task remains once nobody waits and the last default deadline has passed."""
    ref = await crew.start(ActorRef("echo"))
    before = trio.lowlevel.current_statistics().tasks_living
    await ref.call(1)
    await trio.sleep(10)
    assert trio.lowlevel.current_statistics().tasks_living == before


async def test_the_timer_ends_when_the_actor_is_gone(crew, autojump_clock):
    ref = await crew.start(ActorRef("echo"))
    await ref.call(1)
    await ref.stop()
    await trio.testing.wait_all_tasks_blocked()
    assert trio.current_time() == 0
    assert not any("deadlines of calls" in task.name for task in _all_tasks())


def _all_tasks() -> list[trio.lowlevel.Task]:
    found, waiting = [], [trio.lowlevel.current_root_task()]
    while waiting:
        task = waiting.pop()
        if task is not None:
            found.append(task)
            waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return found


async def test_a_timeout_does_not_stop_the_work_and_the_late_reply_is_dropped(crew, autojump_clock):
    ref = await crew.start(ActorRef("slow"))
    go_on = trio.Event()
    with pytest.raises(CallTimeout):
        await ref.call(go_on)
    go_on.set()
    assert await ref.call("next") == "next"
    assert crew.seen == [go_on, "next"]
    assert crew.crashes == []


async def test_a_queued_call_whose_deadline_has_passed_is_skipped_and_reported(crew, autojump_clock):
    ref = await crew.start(ActorRef("slow"))
    go_on = trio.Event()
    ref.cast(go_on)
    with pytest.raises(CallTimeout):
        await ref.call("too late")
    go_on.set()
    assert await ref.call("in time") == "in time"
    assert "too late" not in crew.seen
    assert [(letter.envelope.message, letter.reason) for letter in ref.dead_letters] == [("too late", "expired")]


async def test_a_call_to_a_full_mailbox_is_refused_where_the_policy_says_so(crew):
    ref = ActorRef("full", Mailbox(1, "reject"))
    ref.cast(1)
    with pytest.raises(MailboxFull):
        await ref.call(2)


async def test_a_call_to_a_full_blocking_mailbox_waits_for_room_within_its_deadline(crew, autojump_clock):
    ref = ActorRef("full", Mailbox(1))
    ref.cast(1)
    with pytest.raises(CallTimeout):
        await ref.call(2)
    assert trio.current_time() == 5.0
    assert len(ref.mailbox) == 1


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
async def test_a_call_that_is_dropped_is_told_so(policy, autojump_clock):
    ref = ActorRef("full", Mailbox(1, policy))
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def caller() -> None:
            with pytest.raises(MailboxFull):
                await ref.call("dropped")

        if policy == "drop_newest":
            ref.cast("kept")
        await trio.testing.wait_all_tasks_blocked()
        if policy == "drop_oldest":
            ref.cast("kept")
    assert trio.current_time() == 0
    assert [letter.reason for letter in ref.dead_letters] == ["dropped"]


async def test_a_caller_that_is_cancelled_already_sends_nothing():
    ref = ActorRef("never")
    with trio.CancelScope() as scope:
        scope.cancel()
        await ref.call(1)
    assert scope.cancelled_caught
    assert len(ref.mailbox) == 0
