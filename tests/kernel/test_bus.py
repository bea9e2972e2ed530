"""What happened reaches its subscribers; never in the publisher's way."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import trio

from actors.kernel import ActorRef, Bus, Envelope, Mailbox


@attrs.frozen
class JobQueued:
    job_id: str


@attrs.frozen
class JobFinished:
    job_id: str


def publish(bus: Bus, *messages: Any) -> None:
    for message in messages:
        bus.publish(Envelope.of(message, "request"))


def queued(mailbox: Mailbox) -> list[Any]:
    return [envelope.message for envelope in mailbox.clear()]


async def test_each_subscriber_gets_the_types_it_asked_for():
    bus = Bus()
    some, everything = Mailbox(), Mailbox()
    bus.subscribe(JobQueued, into=some)
    bus.subscribe(into=everything)
    publish(bus, JobQueued("1"), JobFinished("1"))
    assert queued(some) == [JobQueued("1")]
    assert queued(everything) == [JobQueued("1"), JobFinished("1")]


async def test_a_filter_chooses_by_content():
    bus, mailbox = Bus(), Mailbox()
    bus.subscribe(JobQueued, into=mailbox, where=lambda event: event.job_id == "2")
    publish(bus, JobQueued("1"), JobQueued("2"), JobFinished("2"))
    assert queued(mailbox) == [JobQueued("2")]


async def test_a_coalescing_subscriber_is_woken_once_for_many():
    """A hundred events while it is busy are one wake of each kind, and nothing is lost by that."""
    bus, mailbox = Bus(), Mailbox(4, coalesce=type)
    subscription = bus.subscribe(into=mailbox)
    publish(bus, *[JobQueued(str(n)) for n in range(100)], JobFinished("1"))
    assert queued(mailbox) == [JobQueued("0"), JobFinished("1")]
    assert subscription.lost == 0


async def test_every_subscriber_gets_an_envelope_of_its_own_with_the_same_correlation_id():
    bus, one, two = Bus(), ActorRef("one"), ActorRef("two")
    bus.subscribe(into=one)
    bus.subscribe(into=two)
    publish(bus, JobQueued("1"))
    first, second = one.mailbox.take(), two.mailbox.take()
    assert (first.correlation_id, second.correlation_id) == ("request", "request")
    assert first.id != second.id


async def test_a_reader_that_is_behind_loses_the_newest_and_is_told_how_many():
    bus = Bus()
    with bus.subscribe(capacity=2) as events:
        publish(bus, *"abcde")
        assert events.take_lost() == 3
        assert events.take_lost() == 0
        assert (await anext(events)).message == "a"
        publish(bus, "f")
        assert [(await anext(events)).message for _ in range(2)] == ["b", "f"]


async def test_a_dropping_subscriber_counts_its_losses():
    bus = Bus()
    subscription = bus.subscribe(into=Mailbox(1, "drop_oldest"))
    publish(bus, *"abc")
    assert subscription.lost == 2


async def test_an_actor_that_is_gone_is_told_nothing_and_makes_no_dead_letters(crew):
    """Notices are hints: one that comes back looks at the rows."""
    bus = Bus()
    ref = await crew.start(ActorRef("short"))
    subscription = bus.subscribe(into=ref)
    await ref.stop()
    publish(bus, *"abc")
    assert (subscription.lost, len(ref.mailbox), len(ref.dead_letters)) == (3, 0, 0)


async def test_reading_ends_when_the_subscription_is_closed():
    """What was queued is still read; a reader that waits is let go."""
    bus = Bus()
    read: list[Any] = []
    subscription = bus.subscribe()

    async def reader() -> None:
        read.extend([envelope.message async for envelope in subscription])

    async with trio.open_nursery() as nursery:
        publish(bus, "a")
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        publish(bus, "b")
        subscription.close()
        subscription.close()
        publish(bus, "c")
    assert read == ["a", "b"]


async def test_a_reader_that_waits_is_let_go_when_the_subscription_is_closed():
    subscription = Bus().subscribe()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def reader() -> None:
            assert [envelope async for envelope in subscription] == []

        await trio.testing.wait_all_tasks_blocked()
        subscription.close()


async def test_a_subscriber_that_raises_does_not_reach_the_publisher_or_the_others(caplog):
    """After a COMMIT nothing may make it look failed: the filter's error is logged and counted."""
    bus, mailbox = Bus(), Mailbox()
    broken = bus.subscribe(where=lambda event: event.no_such_field)
    bus.subscribe(into=mailbox)
    with caplog.at_level(logging.ERROR):
        publish(bus, JobQueued("1"))
    assert queued(mailbox) == [JobQueued("1")]
    assert broken.lost == 1
    assert "A subscriber could not be notified" in caplog.text


async def test_publishing_never_blocks_nor_yields():
    bus = Bus()
    bus.subscribe(into=Mailbox(1, "block"))
    with trio.testing.assert_no_checkpoints():
        publish(bus, *range(10))


async def test_a_subscriber_may_close_itself_while_being_told():
    bus = Bus()
    subscription = bus.subscribe(where=lambda event: subscription.close())
    other = Mailbox()
    bus.subscribe(into=other)
    publish(bus, 1, 2)
    assert queued(other) == [1, 2]
