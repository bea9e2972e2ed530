"""What rides beside a message."""

from __future__ import annotations

from typing import Any

import trio

from actors.kernel import Actor, ActorRef, Envelope, current_envelope
from logconf import bind_correlation_id, clear_correlation_id, get_correlation_id


class Teller(Actor):
    """Tells what it finds bound while it handles a message, and passes the message on."""

    def __init__(self, next_one: ActorRef | None = None) -> None:
        self.next_one = next_one

    async def handle(self, message: list[Any]) -> None:
        envelope = current_envelope()
        assert envelope is not None
        message.append((self.ref.name, get_correlation_id(), envelope))
        if self.next_one is not None:
            self.next_one.cast(message)


async def test_the_senders_correlation_id_is_bound_for_one_message_only(crew):
    """Two requests through one mailbox: each is handled under its own ID, and between messages there is none."""
    teller = await crew.start(ActorRef("teller"), Teller)
    found: list[Any] = []
    for request in ("one", "two"):
        with bind_correlation_id(request):
            teller.cast(found)
    await trio.testing.wait_all_tasks_blocked()
    assert [seen for _, seen, _ in found] == ["one", "two"]


async def test_an_id_bound_by_a_handler_does_not_leak_into_the_next_message(crew):
    class Binder(Actor):
        async def handle(self, message: list[str]) -> None:
            message.append(get_correlation_id())
            clear_correlation_id()

    binder = await crew.start(ActorRef("binder"), Binder)
    found: list[str] = []
    with bind_correlation_id("request"):
        binder.cast(found)
        binder.cast(found)
    await trio.testing.wait_all_tasks_blocked()
    assert found == ["request", "request"]


async def test_a_chain_of_casts_keeps_the_id_and_names_its_causes(crew):
    """b's envelope was caused by a's: causation ID, sender and correlation ID tell so."""
    b = await crew.start(ActorRef("b"), Teller)
    a = await crew.start(ActorRef("a"), lambda: Teller(b))
    found: list[Any] = []
    with bind_correlation_id("request"):
        a.cast(found)
    await trio.testing.wait_all_tasks_blocked()
    (_, _, first), (_, second_id, second) = found
    assert second_id == "request"
    assert (first.causation_id, first.sender) == (None, None)
    assert (second.causation_id, second.sender) == (first.id, "a")


async def test_a_task_beside_the_mailbox_keeps_the_cause_it_was_spawned_for(crew):
    """While the actor has gone on to the next message, the work of the first still knows what it works for."""
    go_on = trio.Event()
    found: list[tuple[str, Any, str]] = []

    class Concurrent(Actor):
        concurrent = True

        async def handle(self, message: str) -> None:
            self.nursery.start_soon(self.work, message)

        async def work(self, message: str) -> None:
            await go_on.wait()
            envelope = current_envelope()
            assert envelope is not None
            found.append((message, envelope.message, get_correlation_id()))

    ref = await crew.start(ActorRef("concurrent"), Concurrent)
    for name in ("one", "two"):
        with bind_correlation_id(name):
            ref.cast(name)
    await trio.testing.wait_all_tasks_blocked()
    go_on.set()
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(found) == [("one", "one", "one"), ("two", "two", "two")]


async def test_outside_an_actor_a_cast_has_no_cause(crew):
    assert current_envelope() is None
    teller = await crew.start(ActorRef("teller"), Teller)
    found: list[Any] = []
    teller.cast(found)
    await trio.testing.wait_all_tasks_blocked()
    assert found[0][1] == get_correlation_id()
    assert found[0][2].sender is None


async def test_envelopes_are_equal_only_to_themselves():
    one, other = (Envelope([1], "id", None, None, None, 1, 1.0, 7) for _ in range(2))
    assert one != other
    assert one == one
    assert len({one, other}) == 2  # hashable whatever the message is


async def test_an_envelope_made_by_hand_is_stamped_with_time_and_a_new_id(autojump_clock):
    await trio.sleep(3)
    one, other = Envelope.of("a", "id"), Envelope.of("b", "id")
    assert one.time == trio.current_time()
    assert one.id < other.id


async def test_the_time_stamp_of_a_cast_is_trios_time_under_a_test_clock(crew, mock_clock):
    teller = await crew.start(ActorRef("teller"), Teller)
    mock_clock.jump(12.5)
    found: list[Any] = []
    teller.cast(found)
    await trio.testing.wait_all_tasks_blocked()
    assert found[0][2].time == trio.current_time() == 12.5
