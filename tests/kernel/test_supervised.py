"""Actors under a real supervisor: restarts, the quarantine, and what queues meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorDown, ActorRef, Mailbox, MailboxFull, Registry, actor_spec
from logconf import bind_correlation_id, get_correlation_id
from supervision import (
    ChildHung,
    ChildStartError,
    heartbeat,
    open_supervisor,
)
from tests.kernel.workers import SLOW_RESTART, Worker, ask, worker


async def test_the_mailbox_outlives_a_crash_and_the_rest_follow_in_order(autojump_clock):
    ref, seen = ActorRef("worker"), []
    poison = ValueError("poison")
    for message in (1, poison, 2, 3):
        ref.cast(message)
    async with open_supervisor([worker(ref, seen)]):
        await trio.testing.wait_all_tasks_blocked()
        assert ref.incarnation == 2
    assert seen == [1, poison, 2, 3]
    (entry,) = ref.quarantine
    assert (entry.actor, entry.cause, entry.attempt) == ("worker", "ValueError: poison", 1)


async def test_state_dies_with_the_incarnation(autojump_clock):
    class Counter(Actor):
        count = 0

        async def handle(self, message: Any) -> int:
            if message == "crash":
                raise ValueError(message)
            self.count += 1
            return self.count

    ref = ActorRef("counter")
    async with open_supervisor([actor_spec(ref, Counter)]):
        assert [await ref.call("count"), await ref.call("count")] == [1, 2]
        ref.cast("crash")
        assert await ref.call("count") == 1


async def test_a_quarantined_message_is_listed_with_its_cause_and_can_be_replayed(autojump_clock, caplog):
    registry, seen = Registry(), []
    ref = registry.actor("worker")
    poison = ValueError("poison")
    async with open_supervisor([worker(ref, seen)]):
        ref.cast(poison)
        await trio.testing.wait_all_tasks_blocked()
        (entry,) = registry.quarantine
        assert "Quarantined a message of worker" in caplog.text
        registry.quarantine.replay(entry.id)
        await trio.testing.wait_all_tasks_blocked()
        (entry,) = registry.quarantine
        assert entry.attempt == 2
    assert seen == [poison, poison]


async def test_a_quarantined_message_can_be_dropped():
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [])]):
        ref.cast(ValueError("poison"))
        await trio.testing.wait_all_tasks_blocked()
        (entry,) = ref.quarantine
        assert ref.quarantine.drop(entry.id) == entry
        with pytest.raises(KeyError):
            ref.quarantine.replay(entry.id)


async def test_a_replay_into_a_full_mailbox_stays_in_quarantine(autojump_clock):
    ref = ActorRef("worker", Mailbox(1))
    async with open_supervisor([worker(ref, [], backoff=SLOW_RESTART)]):
        ref.cast(ValueError("poison"))
        await trio.testing.wait_all_tasks_blocked()
        ref.cast("fills it")
        (entry,) = ref.quarantine
        with pytest.raises(MailboxFull):
            ref.quarantine.replay(entry.id)
        assert [kept.id for kept in ref.quarantine] == [entry.id]


async def test_a_replay_to_an_actor_that_is_gone_stays_in_quarantine():
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], restart="temporary")]):
        ref.cast(ValueError("poison"))
        await trio.testing.wait_all_tasks_blocked()
        (entry,) = ref.quarantine
        with pytest.raises(ActorDown):
            ref.quarantine.replay(entry.id)
        assert [kept.id for kept in ref.quarantine] == [entry.id]


async def test_a_stop_asked_of_one_that_is_down_does_not_outlive_it(autojump_clock):
    """The stop was asked during a back-off that was then cancelled; brought back by hand, the actor stays."""
    ref = ActorRef("worker")
    async with trio.open_nursery() as nursery, open_supervisor([worker(ref, [], backoff=SLOW_RESTART)]) as supervisor:
        ref.cast(ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ref.stop)
        await trio.testing.wait_all_tasks_blocked()
        await supervisor.stop_child("worker")
        await supervisor.restart_child("worker")
        await trio.testing.wait_all_tasks_blocked()
        assert await ref.call("alive") == "alive"


async def test_a_stop_asked_of_one_that_is_down_stops_the_next_incarnation(autojump_clock):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], restart="transient", backoff=SLOW_RESTART)]):
        ref.cast(ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
        await ref.stop()
        assert (ref.state, ref.incarnation, trio.current_time()) == ("gone", 2, 2)


async def test_a_replayed_call_is_handled_though_its_deadline_has_passed(autojump_clock):
    ref, seen = ActorRef("worker"), []
    poison = ValueError("poison")
    async with open_supervisor([worker(ref, seen)]):
        with pytest.raises(ActorDown), trio.fail_after(1):
            await ref.call(poison)
        await trio.sleep(10)
        (entry,) = ref.quarantine
        ref.quarantine.replay(entry.id)
        await trio.testing.wait_all_tasks_blocked()
    assert seen == [poison, poison]


async def test_an_immediate_stop_leaves_nothing_for_the_next_incarnation(autojump_clock):
    """A permanent actor is started again; what was queued before the stop is not its business."""
    ref, seen, errors = ActorRef("worker"), [], []
    go_on = trio.Event()
    async with trio.open_nursery() as nursery, open_supervisor([worker(ref, seen)]):
        ref.cast(go_on)
        ref.cast("never")
        nursery.start_soon(ask, ref, errors)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ref.stop, False)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (ref.state, ref.incarnation, seen) == ("running", 2, [go_on])
    assert [error.reason for error in errors] == ["stopped"]
    assert [letter.envelope.message for letter in ref.dead_letters] == ["never"]


async def test_the_quarantine_is_bounded(caplog):
    registry = Registry()
    registry.quarantine._capacity = 2
    ref = registry.actor("worker")
    async with open_supervisor([worker(ref, [])]):
        for n in range(3):
            ref.cast(ValueError(n))
        await trio.testing.wait_all_tasks_blocked()
        assert [entry.cause for entry in registry.quarantine] == ["ValueError: 1", "ValueError: 2"]
    assert "quarantine is full" in caplog.text


async def test_a_message_is_redelivered_first_in_line_as_often_as_the_actor_asks():
    """Twice more, then quarantine with three attempts; the message behind it follows. Its caller is told at once."""

    class Persistent(Worker):
        redeliver = 2

    ref, seen = ActorRef("worker"), []
    poison = ValueError("poison")
    async with open_supervisor([actor_spec(ref, lambda: Persistent(seen))], max_restarts=9):
        with pytest.raises(ActorDown):
            await ref.call(poison)
        ref.cast("next")
        await trio.testing.wait_all_tasks_blocked()
    assert seen == [poison, poison, poison, "next"]
    assert [entry.attempt for entry in ref.quarantine] == [3]


async def test_a_crash_in_the_middle_of_a_drain_ends_the_drain(autojump_clock):
    """The stop is over, as a failure; the next incarnation handles what is left and stays."""
    ref, seen = ActorRef("worker"), []
    go_on, crash = trio.Event(), ValueError("crash")
    async with trio.open_nursery() as nursery, open_supervisor([worker(ref, seen)]):
        for message in (go_on, crash, "left"):
            ref.cast(message)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ref.stop)
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (seen, ref.incarnation, ref.state) == ([go_on, crash, "left"], 2, "running")


async def test_the_survivors_of_a_group_restart_keep_what_is_queued(autojump_clock):
    """Stopped and started with the one that failed: a call sent meanwhile waits for the next incarnation."""
    one, two = ActorRef("one"), ActorRef("two")
    async with open_supervisor([worker(one, [], backoff=SLOW_RESTART), worker(two, [])], strategy="one_for_all"):
        one.cast(ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
        assert (one.state, two.state) == ("waiting", "waiting")
        assert await two.call("hello") == "hello"
        assert two.incarnation == 2
        assert trio.current_time() == 2


@pytest.mark.parametrize(("restart", "state"), [("permanent", "running"), ("transient", "gone"), ("temporary", "gone")])
async def test_an_actor_that_is_asked_to_stop_is_restarted_only_where_it_is_permanent(autojump_clock, restart, state):
    """As gen_server:stop in OTP."""
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], restart=restart)]):
        await ref.stop()
        await trio.testing.wait_all_tasks_blocked()
        assert ref.state == state


@pytest.mark.parametrize(
    ("restart", "state"), [("permanent", "running"), ("transient", "running"), ("temporary", "gone")]
)
async def test_an_actor_that_crashes_is_gone_only_where_it_is_temporary(autojump_clock, restart, state):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], restart=restart)]):
        ref.cast(ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
        assert ref.state == state


async def test_an_actor_whose_start_fails_for_good_is_gone(autojump_clock):
    class Broken(Actor):
        async def on_start(self) -> None:
            raise OSError("no disk")

    ref, errors = ActorRef("broken"), []
    async with trio.open_nursery() as nursery, open_supervisor() as supervisor:
        nursery.start_soon(ask, ref, errors)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ChildStartError):
            await supervisor.start_child(actor_spec(ref, Broken))
        await trio.testing.wait_all_tasks_blocked()
        assert [type(error.__cause__) for error in errors] == [OSError]


async def test_no_task_watches_while_everything_is_up(autojump_clock):
    ref = ActorRef("worker")
    async with open_supervisor([worker(ref, [], backoff=SLOW_RESTART)]):
        before = trio.lowlevel.current_statistics().tasks_living
        ref.cast(ValueError("crash"))
        await trio.sleep(10)
        assert ref.state == "running"
        assert trio.lowlevel.current_statistics().tasks_living == before


async def test_an_idle_actor_beats_and_one_that_hangs_in_a_handler_is_restarted(autojump_clock):
    ref, seen = ActorRef("worker"), []
    async with open_supervisor([worker(ref, seen, heartbeat=10.0)]) as supervisor:
        await trio.sleep(100)
        assert ref.incarnation == 1
        with pytest.raises(ActorDown) as caught, trio.fail_after(60):
            await ref.call(trio.Event())
        assert caught.value.reason == "interrupted"
        assert 105 <= trio.current_time() <= 111
        await trio.testing.wait_all_tasks_blocked()
        (child,) = supervisor.children()
        assert child.last_exit is not None
        assert isinstance(child.last_exit.cause, ChildHung)
        assert await ref.call("alive") == "alive"


async def test_a_long_handler_that_beats_itself_is_left_alone(autojump_clock):
    class Long(Actor):
        async def handle(self, message: Any) -> Any:
            for _ in range(20):
                await trio.sleep(5)
                heartbeat()
            return "done"

    ref = ActorRef("long")
    async with open_supervisor([actor_spec(ref, Long, heartbeat=10.0)]):
        with trio.fail_after(200):
            assert await ref.call("work") == "done"
        assert ref.incarnation == 1


async def test_an_actor_does_not_keep_the_id_of_the_request_that_started_it(autojump_clock):
    found: list[str] = []

    class Looker(Actor):
        async def on_start(self) -> None:
            found.append(get_correlation_id())

    async with open_supervisor() as supervisor:
        with bind_correlation_id("request"):
            await supervisor.start_child(actor_spec(ActorRef("looker"), Looker))
    assert found != ["request"]
