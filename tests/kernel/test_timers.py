"""Messages to oneself, later."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorRef, Timer, current_envelope


class Timed(Actor):
    """Sets timers as it is told and notes when messages come."""

    def __init__(self, log: list[tuple[float, Any]]) -> None:
        self.log = log

    async def handle(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        if isinstance(message, float):
            await trio.sleep(message)
        self.log.append((trio.current_time(), message))
        return None


async def test_a_message_comes_after_its_delay(crew, autojump_clock):
    log: list[Any] = []
    ref = await crew.start(ActorRef("timed"), lambda: Timed(log))
    await ref.call(lambda actor: actor.send_after(30, "later"))
    await ref.call(lambda actor: actor.send_after(10, "sooner"))
    await trio.sleep(60)
    assert log == [(10, "sooner"), (30, "later")]


async def test_a_repeated_message_keeps_its_beat_and_leaves_out_what_it_missed(crew, autojump_clock):
    """A handler that took 25 s does not shift the beat of 10 s, nor is it followed by a burst."""
    log: list[Any] = []
    ref = await crew.start(ActorRef("timed"), lambda: Timed(log))
    await ref.call(lambda actor: actor.send_every(10, "beat"))
    await trio.sleep(15)
    ref.cast(25.0)
    await trio.sleep(46)
    assert log == [(10, "beat"), (40, 25.0), (40, "beat"), (50, "beat"), (60, "beat")]


async def test_a_cancelled_timer_sends_nothing_more(crew, autojump_clock):
    log: list[Any] = []
    ref = await crew.start(ActorRef("timed"), lambda: Timed(log))
    timer: Timer = await ref.call(lambda actor: actor.send_every(10, "beat"))
    await trio.sleep(15)
    timer.cancel()
    timer.cancel()
    await trio.sleep(60)
    assert log == [(10, "beat")]


async def test_timers_end_with_their_incarnation(crew, autojump_clock):
    log: list[Any] = []
    ref = await crew.start(ActorRef("timed"), lambda: Timed(log))
    await ref.call(lambda actor: actor.send_after(10, "old"))
    await ref.stop()
    await crew.start(ref, lambda: Timed(log))
    await trio.sleep(60)
    assert log == []


async def test_a_timer_set_beside_the_mailbox_ends_the_actors_wait(crew, autojump_clock):
    log: list[Any] = []

    class Concurrent(Timed):
        concurrent = True

        async def after_ready(self) -> None:
            self.nursery.start_soon(self.work)

        async def work(self) -> None:
            await trio.sleep(5)
            self.send_after(5, "now")

    await crew.start(ActorRef("timed"), lambda: Concurrent(log))
    await trio.sleep(20)
    assert log == [(10, "now")]


async def test_a_timers_message_comes_from_nobody_and_has_an_id_of_its_own(crew, autojump_clock):
    envelopes: list[Any] = []

    class Looker(Actor):
        async def after_ready(self) -> None:
            self.send_every(1, "beat")

        async def handle(self, message: Any) -> None:
            envelopes.append(current_envelope())

    await crew.start(ActorRef("looker"), Looker)
    await trio.sleep(2.5)
    first, second = envelopes
    assert first.correlation_id != second.correlation_id
    assert (first.sender, first.causation_id) == (None, None)


@pytest.mark.parametrize("delay", [-1, float("inf"), float("nan")])
async def test_what_is_no_time_is_refused(delay):
    actor = Actor()
    actor.enter(ActorRef("timed"))
    with pytest.raises(ValueError, match="seconds"):
        actor.send_after(delay, "never")


@pytest.mark.parametrize("interval", [0, -1])
async def test_an_interval_is_more_than_zero(interval):
    actor = Actor()
    actor.enter(ActorRef("timed"))
    with pytest.raises(ValueError, match="seconds"):
        actor.send_every(interval, "always")


async def test_what_is_due_while_suspended_comes_once_and_not_as_often_as_it_was_missed(crew, autojump_clock):
    class Beating(Actor):
        beats = 0

        async def on_start(self) -> None:
            self.send_every(1, "beat")

        async def handle(self, message: Any) -> Any:
            Beating.beats += 1

    ref = await crew.start(ActorRef("beating"), Beating)
    ref.suspend()
    await trio.sleep(3600.5)
    assert len(ref.mailbox) == 0
    ref.resume()
    await trio.testing.wait_all_tasks_blocked()
    assert Beating.beats == 1
