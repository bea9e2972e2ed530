"""The queue: order, bounds, policies, coalescing, waiting."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio

from actors.kernel import Envelope, Mailbox, MailboxFull


def put(mailbox: Mailbox, *messages: Any) -> None:
    for message in messages:
        mailbox.put_nowait(Envelope.of(message, "id"))


def drain(mailbox: Mailbox) -> list[Any]:
    taken = []
    while (envelope := mailbox.take()) is not None:
        taken.append(envelope.message)
    return taken


async def receive(mailbox: Mailbox) -> Envelope:
    while (envelope := mailbox.take()) is None:
        await mailbox.wait()
    return envelope


async def receive_batch(mailbox: Mailbox, until: float = math.inf, limit: int = 100) -> list[Any]:
    await mailbox.wait(until)
    return [envelope.message for envelope in mailbox.take_batch(limit)]


async def test_first_in_first_out():
    mailbox = Mailbox()
    put(mailbox, 1, 2, 3)
    assert drain(mailbox) == [1, 2, 3]


async def test_the_documented_defaults():
    mailbox = Mailbox()
    assert (mailbox.capacity, mailbox.overflow) == (64, "block")


@pytest.mark.parametrize("policy", ["block", "reject"])
async def test_a_full_mailbox_gives_the_message_back(policy):
    """MailboxFull carries what was not delivered; what is queued is untouched."""
    mailbox = Mailbox(2, policy)
    put(mailbox, 1, 2)
    with pytest.raises(MailboxFull) as caught:
        put(mailbox, 3)
    assert caught.value.message == 3
    assert drain(mailbox) == [1, 2]
    assert mailbox.statistics().rejected == 1


@pytest.mark.parametrize(("policy", "kept", "gone"), [("drop_oldest", [2, 3], [1]), ("drop_newest", [1, 2], [3])])
async def test_a_dropping_mailbox_tells_whom_it_dropped(policy, kept, gone):
    dropped: list[Any] = []
    mailbox = Mailbox(2, policy)
    mailbox.on_drop = lambda envelope: dropped.append(envelope.message)
    put(mailbox, 1, 2, 3)
    assert (drain(mailbox), dropped, mailbox.statistics().dropped) == (kept, gone, 1)


async def test_senders_that_wait_for_room_are_let_in_in_order():
    mailbox = Mailbox(1)
    async with trio.open_nursery() as nursery:
        put(mailbox, 0)
        for message in (1, 2, 3):
            nursery.start_soon(mailbox.put, Envelope.of(message, "id"))
            await trio.testing.wait_all_tasks_blocked()
        assert mailbox.statistics().waiting_senders == 3
        assert drain(mailbox) == [0, 1, 2, 3]
    assert mailbox.statistics().waiting_senders == 0


async def test_nobody_overtakes_a_sender_that_waits():
    """Room made by a take belongs to the one that waits, not to the next sync sender."""
    mailbox = Mailbox(1)
    async with trio.open_nursery() as nursery:
        put(mailbox, "first")
        nursery.start_soon(mailbox.put, Envelope.of("waiting", "id"))
        await trio.testing.wait_all_tasks_blocked()
        assert mailbox.take().message == "first"
        with pytest.raises(MailboxFull):
            put(mailbox, "hasty")
        assert drain(mailbox) == ["waiting"]


async def test_a_sender_that_gives_up_leaves_nothing_behind(autojump_clock):
    mailbox = Mailbox(1)
    put(mailbox, 1)
    with trio.move_on_after(1) as scope:
        await mailbox.put(Envelope.of(2, "id"))
    assert scope.cancelled_caught
    assert drain(mailbox) == [1]


async def test_the_depth_is_right_after_a_sender_gave_up_while_the_mailbox_was_emptied():
    mailbox = Mailbox(1)
    put(mailbox, 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.put, Envelope.of(2, "id"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        assert [envelope.message for envelope in mailbox.clear()] == [1]
    assert len(mailbox) == 0
    put(mailbox, 3)
    mailbox.withdraw(mailbox)
    assert (len(mailbox), drain(mailbox), len(mailbox)) == (1, [3], 0)


async def test_depth_counts_notices_and_redelivered_messages_until_they_are_taken_or_withdrawn():
    mailbox = Mailbox(1)
    put(mailbox, 1)
    marker = object()
    for message in (2, marker):
        mailbox.put_unbounded(Envelope.of(message, "id"))
    mailbox.redeliver(mailbox.take().again())
    assert len(mailbox) == 3
    mailbox.withdraw(marker)
    assert (len(mailbox), drain(mailbox), len(mailbox)) == (2, [1, 2], 0)


async def test_dropping_the_oldest_keeps_the_depth():
    mailbox = Mailbox(2, "drop_oldest")
    put(mailbox, 1, 2, 3, 4)
    assert (len(mailbox), drain(mailbox), len(mailbox)) == (2, [3, 4], 0)


async def test_a_waiting_message_of_the_same_key_absorbs_the_new_one():
    """Counted, and not a loss: nothing goes to `on_drop`."""
    dropped: list[Any] = []
    mailbox = Mailbox(coalesce=type)
    mailbox.on_drop = dropped.append
    put(mailbox, 1, "a", 2, "b", 3)
    assert (drain(mailbox), mailbox.statistics().coalesced, dropped) == ([1, "a"], 3, [])
    put(mailbox, 4)
    assert drain(mailbox) == [4], "a key is free again once its message was taken"


async def test_a_full_mailbox_still_absorbs():
    mailbox = Mailbox(1, "reject", coalesce=type)
    put(mailbox, 1, 2)
    assert drain(mailbox) == [1]


async def test_a_message_without_a_key_is_never_absorbed():
    mailbox = Mailbox(coalesce=lambda message: None)
    put(mailbox, 1, 1)
    assert drain(mailbox) == [1, 1]


async def test_a_message_that_changes_while_it_waits_does_not_block_its_key():
    mailbox = Mailbox(coalesce=len)
    message: list[int] = []
    put(mailbox, message)
    message.append(1)
    drain(mailbox)
    put(mailbox, [])
    assert drain(mailbox) == [[]]


async def test_dropping_the_oldest_frees_its_key():
    mailbox = Mailbox(1, "drop_oldest", coalesce=type)
    put(mailbox, 1, "a", 2)
    assert drain(mailbox) == [2]


async def test_what_waits_for_room_is_absorbed_when_it_is_sent_or_not_at_all():
    """No sender that was let in loses its message to another one's, which might still be withdrawn."""
    mailbox = Mailbox(2, coalesce=lambda message: message if message != "other" else None)
    async with trio.open_nursery() as nursery:
        put(mailbox, "other", "queued")
        for message in ("queued", "same", "same"):
            nursery.start_soon(mailbox.put, Envelope.of(message, "id"))
            await trio.testing.wait_all_tasks_blocked()
        assert mailbox.statistics().waiting_senders == 2
        assert drain(mailbox) == ["other", "queued", "same", "same"]
    assert mailbox.statistics().coalesced == 1


async def test_statistics_count_what_happened():
    mailbox = Mailbox(3)
    put(mailbox, 1, 2)
    drain(mailbox)
    put(mailbox, 3)
    statistics = mailbox.statistics()
    assert (statistics.depth, statistics.high_water, statistics.taken) == (1, 2, 2)


async def test_a_batch_is_taken_at_once_and_is_empty_when_the_time_comes_first(autojump_clock):
    """The shape of a loop that waits for a wake or for its next tick."""
    mailbox = Mailbox()
    assert await receive_batch(mailbox, until=10.0) == []
    assert trio.current_time() == 10.0
    put(mailbox, 1, 2)
    assert await receive_batch(mailbox, until=20.0) == [1, 2]
    assert trio.current_time() == 10.0


async def test_a_batch_has_a_limit():
    mailbox = Mailbox()
    put(mailbox, *range(5))
    assert len(await receive_batch(mailbox, limit=3)) == 3
    assert len(mailbox) == 2


async def test_a_message_ends_the_wait(autojump_clock):
    mailbox = Mailbox()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def sender() -> None:
            await trio.sleep(3)
            put(mailbox, "now")

        assert (await receive(mailbox)).message == "now"
        assert trio.current_time() == 3


async def test_waiting_is_a_checkpoint_also_when_something_is_there():
    mailbox = Mailbox()
    put(mailbox, 1)
    with trio.testing.assert_checkpoints():
        await mailbox.wait()
    drain(mailbox)
    with trio.testing.assert_checkpoints():
        await mailbox.wait(until=-1.0)


async def test_a_mailbox_has_one_reader():
    mailbox = Mailbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.wait)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await mailbox.wait()
        mailbox.wake()


async def test_a_reader_that_is_cancelled_takes_nothing_with_it(autojump_clock):
    mailbox = Mailbox()
    with trio.move_on_after(1) as scope:
        await receive(mailbox)
    assert scope.cancelled_caught
    put(mailbox, 1)
    assert (await receive(mailbox)).message == 1


@pytest.mark.parametrize("capacity", [0, -1])
async def test_a_capacity_below_one_is_refused(capacity):
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox(capacity)


async def test_an_unknown_policy_is_refused_with_a_guess():
    with pytest.raises(ValueError, match="did you mean 'drop_oldest'"):
        Mailbox(1, "drop_old")
