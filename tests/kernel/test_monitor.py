"""Being told, exactly once, that an actor went down."""

from __future__ import annotations

from typing import Any

import trio

from actors.kernel import ActorRef, Down, Mailbox


async def test_a_crash_is_told_with_its_reason_and_cause(crew):
    ref = await crew.start(ActorRef("watched"))
    monitor = ref.monitor()
    error = ValueError("crash")
    ref.cast(error)
    down = await monitor.wait()
    assert (down.actor, down.reason, down.cause, down.incarnation) == ("watched", "failed", error, 1)


async def test_a_monitor_of_an_actor_that_is_gone_tells_at_once(crew, autojump_clock):
    ref = await crew.start(ActorRef("watched"))
    await ref.stop()
    assert (await ref.monitor().wait()).reason == "stopped"
    assert trio.current_time() == 0


async def test_there_is_exactly_one_notice_whatever_happens_afterwards(crew):
    """Sent into another actor's mailbox: one message, though two incarnations end."""
    watcher = await crew.start(ActorRef("watcher"))
    ref = await crew.start(ActorRef("watched"))
    ref.monitor(into=watcher)
    for _ in range(2):
        await ref.stop()
        await crew.start(ref)
    await ref.stop()
    await trio.testing.wait_all_tasks_blocked()
    notices = [message for message in crew.seen if isinstance(message, Down)]
    assert [(down.reason, down.incarnation) for down in notices] == [("stopped", 1)]


async def test_a_notice_is_not_lost_to_a_full_mailbox(crew):
    watcher = ActorRef("watcher", Mailbox(1, "drop_newest"))
    watcher.cast("fills it")
    ref = await crew.start(ActorRef("watched"))
    ref.monitor(into=watcher)
    await ref.stop()
    assert [type(envelope.message) for envelope in watcher.mailbox.clear()] == [str, Down]


async def test_every_monitor_is_told_and_may_be_asked_again(crew):
    ref = await crew.start(ActorRef("watched"))
    monitors = [ref.monitor() for _ in range(3)]
    await ref.stop()
    first = [await monitor.wait() for monitor in monitors]
    assert first == [await monitor.wait() for monitor in monitors]


async def test_a_cancelled_monitor_tells_nobody(crew):
    watcher = await crew.start(ActorRef("watcher"))
    ref = await crew.start(ActorRef("watched"))
    ref.monitor(into=watcher).cancel()
    await ref.stop()
    await trio.testing.wait_all_tasks_blocked()
    assert crew.seen == []


async def test_a_monitor_set_between_two_incarnations_waits_for_the_end_of_the_next(crew):
    ref = ActorRef("late")
    monitor = ref.monitor()
    downs: list[Any] = []

    @crew.nursery.start_soon
    async def waiter() -> None:
        downs.append(await monitor.wait())

    await crew.start(ref)
    await trio.testing.wait_all_tasks_blocked()
    assert downs == []
    await ref.stop()
    await trio.testing.wait_all_tasks_blocked()
    assert [down.incarnation for down in downs] == [1]
