"""What comes when: notices, drains and redelivered messages, while the mailbox is full and senders wait for room."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorRef, Envelope, Mailbox, actor_spec
from supervision import open_supervisor
from tests.kernel.workers import SLOW_RESTART, Worker

POLICIES = ["block", "reject", "drop_oldest", "drop_newest"]


def taken(ref: ActorRef) -> list[Any]:
    return [envelope.message for envelope in ref.mailbox.take_batch(100)]


@pytest.mark.parametrize("capacity", [1, 2, 3, 64])
async def test_a_notice_comes_after_all_that_its_sender_sent_before(capacity):
    """Full or not, and also where earlier messages still wait for room; what is sent later comes later."""
    ref = ActorRef("receiver", Mailbox(capacity))
    async with trio.open_nursery() as nursery:
        for message in (1, 2, 3):
            nursery.start_soon(ref.send, message)
            await trio.testing.wait_all_tasks_blocked()
        ref.notice("first notice")
        nursery.start_soon(ref.send, 4)
        await trio.testing.wait_all_tasks_blocked()
        ref.notice("second notice")
        assert taken(ref) == [1, 2, 3, "first notice", 4, "second notice"]


async def test_a_notice_waits_for_no_message_that_was_withdrawn():
    ref = ActorRef("receiver", Mailbox(1))
    ref.cast(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ref.send, "withdrawn")
        await trio.testing.wait_all_tasks_blocked()
        ref.notice("notice")
        nursery.cancel_scope.cancel()
    assert taken(ref) == [1, "notice"]
    assert len(ref.mailbox) == 0


async def test_a_message_that_was_taken_ahead_is_neither_lost_nor_late():
    """To compare it with a notice, the reader takes the channel's next message ahead."""
    ref = ActorRef("receiver", Mailbox(2))
    ref.notice("notice")
    ref.cast(1)
    assert ref.mailbox.take().message == "notice"
    assert len(ref.mailbox) == 1
    ref.cast(2)
    ref.notice("second notice")
    ref.cast(3)
    assert (len(ref.mailbox), taken(ref)) == (4, [1, 2, "second notice", 3])


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
async def test_a_policy_that_drops_drops_no_notice(policy):
    ref = ActorRef("receiver", Mailbox(2, policy))
    ref.notice("notice")
    for n in range(4):
        ref.cast(n)
    assert taken(ref) == ["notice", *([2, 3] if policy == "drop_oldest" else [0, 1])]
    assert [letter.envelope.message for letter in ref.dead_letters] == ([0, 1] if policy == "drop_oldest" else [2, 3])


async def test_the_oldest_is_dropped_also_where_it_was_taken_ahead():
    ref = ActorRef("receiver", Mailbox(2, "drop_oldest"))
    ref.notice("notice")
    ref.cast(1)
    assert ref.mailbox.take().message == "notice"
    for n in (2, 3, 4):
        ref.cast(n)
    assert taken(ref) == [2, 3, 4]
    assert [letter.envelope.message for letter in ref.dead_letters] == [1]


async def test_a_drain_of_a_full_mailbox_handles_also_what_waits_for_room(crew):
    """Senders that wait when the stop is asked for are handled; what is sent later is a dead letter."""
    ref = await crew.start(ActorRef("worker", Mailbox(2)))
    go_on = trio.Event()
    ref.cast(go_on)
    await trio.testing.wait_all_tasks_blocked()
    for message in (1, 2, 3, 4):
        crew.nursery.start_soon(ref.send, message)
        await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop)
    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.send, "too late")
    await trio.testing.wait_all_tasks_blocked()
    assert ref.mailbox.statistics().waiting_senders == 3
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (crew.seen, ref.state) == ([go_on, 1, 2, 3, 4], "gone")
    assert [letter.envelope.message for letter in ref.dead_letters] == ["too late"]
    assert len(ref.mailbox) == 0


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "reject"])
async def test_a_drain_ends_under_every_policy(crew, policy):
    """The drain marker takes no place and is dropped by no policy."""
    ref = await crew.start(ActorRef("worker", Mailbox(1, policy)))
    go_on = trio.Event()
    ref.cast(go_on)
    await trio.testing.wait_all_tasks_blocked()
    crew.nursery.start_soon(ref.stop)
    await trio.testing.wait_all_tasks_blocked()
    for _ in range(1 if policy == "reject" else 3):
        ref.cast("too late")
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (crew.seen, ref.state) == ([go_on], "gone")


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_message_is_redelivered_first_whatever_a_full_mailbox_does(policy, autojump_clock):
    """While its actor is being restarted the mailbox is filled: nothing that is queued then pushes it out."""

    class Persistent(Worker):
        redeliver = 1

    ref, seen = ActorRef("worker", Mailbox(2, policy)), []
    poison = ValueError("poison")
    async with open_supervisor([actor_spec(ref, lambda: Persistent(seen), backoff=SLOW_RESTART)]):
        ref.cast(poison)
        await trio.testing.wait_all_tasks_blocked()
        for n in range(4 if policy.startswith("drop") else 2):
            ref.cast(n)
        assert len(ref.mailbox) == 3
        await trio.sleep(20)
    kept = [2, 3] if policy == "drop_oldest" else [0, 1]
    assert seen == [poison, poison, *kept]
    assert [entry.attempt for entry in ref.quarantine] == [2]


async def test_a_suspended_reader_sleeps_until_it_is_resumed(crew):
    """Also where a message was taken ahead before it was suspended; messages sent meanwhile wake nobody."""
    ref = ActorRef("worker", Mailbox(4))
    turns: list[int] = []

    class Counting(Actor):
        async def handle(self, message: Any) -> None:
            crew.seen.append(message)
            if message == "notice":
                ref.suspend()

        async def serve(self, until: float = float("inf")) -> bool:
            turns.append(len(crew.seen))
            return await super().serve(until)

    ref.notice("notice")
    ref.cast(1)
    await crew.start(ref, Counting)
    await trio.testing.wait_all_tasks_blocked()
    before = len(turns)
    ref.cast(2)
    await trio.testing.wait_all_tasks_blocked()
    assert (crew.seen, len(turns), len(ref.mailbox)) == (["notice"], before, 2)
    ref.resume()
    await trio.testing.wait_all_tasks_blocked()
    assert crew.seen == ["notice", 1, 2]


async def test_a_wake_leaves_nothing_in_the_queue():
    mailbox = Mailbox(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.wait)
        await trio.testing.wait_all_tasks_blocked()
        mailbox.wake()
        mailbox.wake()
    assert len(mailbox) == 0
    mailbox.put_nowait(Envelope.of(1, "id"))
    assert [envelope.message for envelope in mailbox.take_batch(9)] == [1]
