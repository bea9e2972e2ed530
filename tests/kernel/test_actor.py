"""One incarnation after another: hooks, order, crashes, quarantine, stopping."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorDown, ActorRef, Mailbox, MailboxFull, run_actor


class Hooked(Actor):
    """Notes every hook in order."""

    def __init__(self, log: list[str], fail_in: str = "") -> None:
        self.log = log
        self.fail_in = fail_in

    def note(self, name: str) -> None:
        self.log.append(name)
        if name == self.fail_in:
            raise ValueError(name)

    async def on_start(self) -> None:
        self.note("on_start")

    async def after_ready(self) -> None:
        await trio.sleep(1)
        self.note("after_ready")

    async def handle(self, message: Any) -> None:
        self.note("handle")

    async def on_stop(self) -> None:
        await trio.sleep(1)
        self.note("on_stop")


async def test_the_hooks_run_in_order_and_after_ready_before_the_first_message(crew, autojump_clock):
    """Starting stays short: `started` is reported before `after_ready`."""
    log: list[str] = []
    ref = ActorRef("hooked")
    ref.cast("waits")
    await crew.start(ref, lambda: Hooked(log))
    assert (log, trio.current_time()) == (["on_start"], 0)
    await ref.stop()
    assert log == ["on_start", "after_ready", "handle", "on_stop"]


@pytest.mark.parametrize("where", ["on_start", "after_ready", "handle"])
async def test_there_is_one_clean_up_path_wherever_it_fails(where, autojump_clock):
    log: list[str] = []
    ref = ActorRef("hooked")
    ref.cast("message")
    with pytest.raises(ValueError, match=where):
        await run_actor(ref, lambda: Hooked(log, where))
    assert log[-2:] == [where, "on_stop"]
    assert log.count("on_stop") == 1


async def test_cleaning_up_awaits_under_cancellation_but_not_for_ever(autojump_clock, caplog):
    """Its time is shorter than the five seconds that a supervisor gives a child."""
    log: list[str] = []

    class Stuck(Actor):
        async def on_stop(self) -> None:
            log.append("begins")
            await trio.sleep(3)
            log.append("still there after three seconds")
            await trio.sleep_forever()

    with trio.move_on_after(10) as scope:
        await run_actor(ActorRef("stuck"), Stuck)
    assert scope.cancelled_caught
    assert log == ["begins", "still there after three seconds"]
    assert trio.current_time() == 14
    assert "on_stop of actor stuck was cancelled after 4 s" in caplog.text


async def test_a_handler_that_never_waits_still_lets_others_run(crew):
    """A long queue is drained in batches: between two of them every other task gets its turn."""
    ref = ActorRef("busy", Mailbox(1000))
    for n in range(1000):
        ref.cast(n)
    handled_at_turns: list[int] = []

    @crew.nursery.start_soon
    async def other() -> None:
        while len(crew.seen) < 1000:
            handled_at_turns.append(len(crew.seen))
            await trio.lowlevel.checkpoint()

    await crew.start(ref)
    await trio.testing.wait_all_tasks_blocked()
    assert len(crew.seen) == 1000
    assert set(handled_at_turns) <= set(range(0, 1000, 100))
    assert len(set(handled_at_turns)) > 5


async def test_messages_of_one_sender_are_handled_in_order_whatever_others_send(crew):
    ref = await crew.start(ActorRef("shared", Mailbox(8)))

    async def sender(name: str) -> None:
        for n in range(50):
            await ref.send((name, n))

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(sender, name)
    await trio.testing.wait_all_tasks_blocked()
    for name in "abc":
        assert [n for who, n in crew.seen if who == name] == list(range(50))


async def test_a_cast_never_blocks_and_gives_the_message_back_where_it_cannot_go():
    ref = ActorRef("full", Mailbox(1))
    ref.cast(1)
    with trio.testing.assert_no_checkpoints(), pytest.raises(MailboxFull) as caught:
        ref.cast(2)
    assert (caught.value.message, caught.value.actor) == (2, "full")


async def test_a_cast_to_an_actor_that_is_gone_is_a_dead_letter_not_an_exception(crew, caplog):
    ref = await crew.start(ActorRef("short"))
    await ref.stop()
    ref.cast("too late")
    await ref.send("later still")
    assert [(letter.actor, letter.envelope.message, letter.reason) for letter in ref.dead_letters] == [
        ("short", "too late", "stopped"),
        ("short", "later still", "stopped"),
    ]
    assert caplog.text.count("Dead letter for short: stopped") == 2


async def test_a_suspended_actor_sees_system_messages_only(crew):
    """`inspect` answers while nothing is handled; then everything follows in order."""
    ref = await crew.start(ActorRef("worker"))
    ref.suspend()
    ref.cast(1)
    ref.cast(2)
    inspection = await ref.inspect()
    assert (crew.seen, inspection.suspended, inspection.mailbox.depth) == ([], True, 2)
    ref.resume()
    await trio.testing.wait_all_tasks_blocked()
    assert crew.seen == [1, 2]


async def test_inspection_is_seen_before_what_is_queued(crew):
    class Detailed(Actor):
        def describe(self) -> dict[str, int]:
            return {"handled": len(crew.seen)}

        async def handle(self, message: Any) -> None:
            crew.seen.append(message)

    ref = ActorRef("worker")
    for n in range(3):
        ref.cast(n)
    inspections: list[Any] = []

    @crew.nursery.start_soon
    async def inspector() -> None:
        inspections.append(await ref.inspect())

    await trio.testing.wait_all_tasks_blocked()
    await crew.start(ref, Detailed)
    await trio.testing.wait_all_tasks_blocked()
    assert inspections[0].details == {"handled": 0}
    assert crew.seen == [0, 1, 2]


async def test_inspecting_a_busy_actor_ends_with_the_default_deadline(crew, autojump_clock):
    ref = await crew.start(ActorRef("busy"))
    ref.cast(trio.Event())
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(trio.TooSlowError):
        await ref.inspect()
    assert trio.current_time() == 5


async def test_inspecting_an_actor_that_is_gone_fails_at_once(crew):
    ref = await crew.start(ActorRef("short"))
    await ref.stop()
    with pytest.raises(ActorDown):
        await ref.inspect()


async def test_a_message_in_hand_when_its_actor_is_cancelled_is_a_dead_letter(autojump_clock):
    """Interrupted is not crashed: nothing is quarantined, and nothing vanishes."""
    ref = ActorRef("interrupted")
    ref.cast(go_on := trio.Event())
    ref.cast("behind it")

    class Waiter(Actor):
        async def handle(self, message: Any) -> None:
            await message.wait()

    with trio.move_on_after(1):
        await run_actor(ref, Waiter)
    assert [(letter.envelope.message, letter.reason) for letter in ref.dead_letters] == [
        (go_on, "interrupted"),
        ("behind it", "stopped"),
    ]
    assert len(ref.quarantine) == 0


async def test_a_crash_mixed_with_a_cancellation_is_a_crash(autojump_clock):
    """A handler's nursery may let out both in one group: the failure counts."""
    ref = ActorRef("mixed")

    class Mixed(Actor):
        async def handle(self, message: Any) -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("in clean-up")

    ref.cast(1)
    with pytest.raises(ValueError, match="in clean-up"), trio.move_on_after(1):
        await run_actor(ref, Mixed)
    assert [entry.cause for entry in ref.quarantine] == ["ValueError: in clean-up"]


async def test_work_beside_the_mailbox_ends_with_the_actor_after_its_clean_up(crew):
    log: list[str] = []

    class Concurrent(Actor):
        concurrent = True

        async def on_start(self) -> None:
            self.nursery.start_soon(self.work)

        async def work(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                log.append("work ends")

        async def on_stop(self) -> None:
            log.append("on_stop")

    ref = await crew.start(ActorRef("concurrent"), Concurrent)
    await ref.stop()
    assert log == ["on_stop", "work ends"]


async def test_a_crash_beside_the_mailbox_is_the_actors(crew):
    class Concurrent(Actor):
        concurrent = True

        async def handle(self, message: Any) -> None:
            self.nursery.start_soon(self.work)

        async def work(self) -> None:
            raise KeyError("beside")

    ref = await crew.start(ActorRef("concurrent"), Concurrent)
    ref.cast(1)
    down = await ref.monitor().wait()
    assert (down.reason, ref.state) == ("failed", "gone")
    assert [type(error) for error in crew.crashes] == [ExceptionGroup]
