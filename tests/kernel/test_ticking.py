"""The shape of every long-lived actor, and one modelled on a scheduler that is woken by the bus."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import trio

from actors.kernel import ActorRef, Bus, Envelope, Mailbox, TickingActor, VirtualClock, current_envelope
from logconf import bind_correlation_id, get_correlation_id


class Ticker(TickingActor):
    """Notes when it ticks and how many asked for it."""

    interval = 30.0

    def __init__(self, log: list[tuple[float, int]]) -> None:
        self.log = log

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        self.log.append((trio.current_time(), len(causes)))


async def test_the_first_tick_comes_at_once_and_then_on_a_fixed_beat(crew, autojump_clock):
    log: list[Any] = []
    await crew.start(ActorRef("ticker"), lambda: Ticker(log))
    await trio.sleep(75)
    assert log == [(0, 0), (30, 0), (60, 0)]


async def test_a_wake_ticks_at_once_and_does_not_shift_the_beat(crew, autojump_clock):
    log: list[Any] = []
    ref = await crew.start(ActorRef("ticker"), lambda: Ticker(log))
    await trio.sleep(10)
    ref.cast("wake")
    ref.cast("wake")
    await trio.sleep(25)
    assert log == [(0, 0), (10, 2), (30, 0)]


async def test_a_slow_tick_overlaps_nothing_and_leaves_out_the_beats_it_missed(crew, autojump_clock):
    log: list[Any] = []

    class Slow(Ticker):
        async def tick(self, causes: tuple[Envelope, ...]) -> None:
            await super().tick(causes)
            await trio.sleep(70 if len(log) == 1 else 0)

    await crew.start(ActorRef("ticker"), lambda: Slow(log))
    await trio.sleep(130)
    assert log == [(0, 0), (70, 0), (90, 0), (120, 0)]


async def test_a_wake_during_a_tick_leads_to_another(crew, autojump_clock):
    log: list[Any] = []

    class Slow(Ticker):
        async def tick(self, causes: tuple[Envelope, ...]) -> None:
            await super().tick(causes)
            await trio.sleep(5)

    ref = await crew.start(ActorRef("ticker"), lambda: Slow(log))
    await trio.sleep(2)
    ref.cast("wake")
    await trio.sleep(10)
    assert log == [(0, 0), (5, 1)]


async def test_every_cycle_has_a_correlation_id_of_its_own_constant_inside_it(crew, autojump_clock):
    ids: list[tuple[str, str]] = []

    class Looker(Ticker):
        async def tick(self, causes: tuple[Envelope, ...]) -> None:
            before = get_correlation_id()
            await trio.sleep(1)
            ids.append((before, get_correlation_id()))

    ref = await crew.start(ActorRef("ticker"), lambda: Looker([]))
    await trio.sleep(10)
    with bind_correlation_id("request"):
        ref.cast("wake")
    await trio.sleep(70)
    assert all(before == after for before, after in ids)
    assert len({before for before, _ in ids}) == len(ids) == 4
    assert "request" not in {before for before, _ in ids}


async def test_what_a_cycle_sends_names_the_cycle_as_its_cause(crew, autojump_clock):
    target = ActorRef("target")

    class Sender(Ticker):
        async def tick(self, causes: tuple[Envelope, ...]) -> None:
            cycle = current_envelope()
            assert cycle is not None
            target.cast((cycle.id, get_correlation_id()))

    await crew.start(ActorRef("ticker"), lambda: Sender([]))
    await trio.sleep(1)
    envelope = target.mailbox.take()
    assert (envelope.causation_id, envelope.correlation_id) == envelope.message
    assert envelope.sender == "ticker"


class Faulty(Ticker):
    fault_limit = 3
    fault_message = "Error in job polling"
    faulty: tuple[int, ...] = ()

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        await super().tick(causes)
        if len(self.log) in self.faulty:
            raise OSError(f"cycle {len(self.log)}")


async def test_a_faulty_cycle_is_logged_with_its_traceback_and_the_next_one_runs(crew, autojump_clock, caplog):
    log: list[Any] = []
    Faulty.faulty = (1, 2, 4, 5)
    ref = await crew.start(ActorRef("ticker"), lambda: Faulty(log))
    await trio.sleep(200)
    assert len(log) == 7
    assert ref.state == "running"
    records = [record for record in caplog.records if record.getMessage() == "Error in job polling"]
    assert [record.levelno for record in records] == [logging.ERROR] * 4
    assert all(record.exc_info for record in records)


async def test_so_many_faulty_cycles_in_a_row_fail_the_actor(crew, autojump_clock):
    log: list[Any] = []
    Faulty.faulty = (2, 3, 4)
    ref = await crew.start(ActorRef("ticker"), lambda: Faulty(log))
    down = await ref.monitor().wait()
    assert (down.reason, str(down.cause), len(log)) == ("failed", "cycle 4", 4)


@pytest.mark.parametrize("how", ["suspend", "drain"])
async def test_no_tick_while_suspended_or_while_a_stop_drains(crew, autojump_clock, how):
    log: list[Any] = []

    class Slow(Ticker):
        async def handle(self, message: Any) -> None:
            await trio.sleep(1)

    ref = await crew.start(ActorRef("ticker", Mailbox(200)), lambda: Slow(log))
    await trio.sleep(1)
    if how == "suspend":
        ref.suspend()
        await trio.sleep(100)
        assert log == [(0, 0)]
        ref.resume()
        await trio.sleep(1)
        assert log == [(0, 0), (101, 0)]
    else:
        for _ in range(150):  # more than one batch, between two of which a tick could come
            ref.cast("work")
        await ref.stop()
        assert log == [(0, 0)]
        assert trio.current_time() == 151


async def test_a_ticker_that_only_waits_for_wakes_never_ticks_by_itself(crew, autojump_clock):
    log: list[Any] = []

    class Woken(Ticker):
        def next_tick(self) -> float:
            return float("inf")

    ref = await crew.start(ActorRef("ticker"), lambda: Woken(log))
    await trio.sleep(1000)
    ref.cast("wake")
    await trio.sleep(1)
    assert log == [(1000, 1)]


# A scheduler as the runtime's: woken by the bus, at least every five seconds, with its work beside the mailbox.


@attrs.frozen
class JobQueued:
    job_id: str


@attrs.frozen
class HowMany:
    pass


class Scheduler(TickingActor):
    """Takes what is in `rows` and dispatches it, each dispatch beside the mailbox, so that a slow one delays nobody."""

    interval = 5.0
    concurrent = True

    def __init__(self, rows: list[tuple[str, str]], log: list[Any]) -> None:
        self.rows = rows
        self.log = log
        self.dispatched = 0

    async def handle(self, message: Any) -> Any:
        match message:
            case HowMany():
                return self.dispatched
            case _:
                self.wake()
                return None

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        while self.rows:
            job_id, correlation_id = self.rows.pop(0)
            self.dispatched += 1
            with bind_correlation_id(correlation_id):
                self.nursery.start_soon(self.dispatch, job_id)

    async def dispatch(self, job_id: str) -> None:
        await trio.sleep(60 if job_id == "slow" else 1)
        self.log.append((job_id, get_correlation_id(), trio.current_time()))


async def test_a_scheduler_is_woken_by_the_bus_and_a_slow_dispatch_delays_nobody(crew, autojump_clock):
    bus = Bus()
    rows: list[tuple[str, str]] = []
    log: list[Any] = []
    ref = ActorRef("scheduler", Mailbox(16, coalesce=type))
    bus.subscribe(JobQueued, into=ref)
    await crew.start(ref, lambda: Scheduler(rows, log))
    await trio.sleep(2)
    for job_id in ("slow", "quick"):
        rows.append((job_id, f"request of {job_id}"))
        bus.publish(Envelope.of(JobQueued(job_id), f"request of {job_id}"))
    assert ref.mailbox.statistics().coalesced == 1
    assert await ref.call(HowMany()) == 0  # answered in its turn: behind the wake, before the tick that it asks for
    await trio.sleep(70)
    assert log == [("quick", "request of quick", 3.0), ("slow", "request of slow", 62.0)]


async def test_a_lost_message_is_made_good_by_the_next_look(crew, autojump_clock):
    """Messages are hints, rows are truth: nobody published, and the job is dispatched within five seconds."""
    rows: list[tuple[str, str]] = []
    log: list[Any] = []
    await crew.start(ActorRef("scheduler"), lambda: Scheduler(rows, log))
    await trio.sleep(2)
    rows.append(("quick", "request"))
    await trio.sleep(10)
    assert log == [("quick", "request", 6.0)]


async def test_an_expiry_ticks_at_the_next_wall_deadline_though_the_wall_clock_jumps(crew, autojump_clock):
    """It looks at the wall at least every thirty seconds, so a jump of hours is noticed within that."""
    clock = VirtualClock(datetime(2024, 6, 1, tzinfo=UTC))
    deadline = clock.now() + timedelta(hours=2)
    expired: list[float] = []

    class Expiry(TickingActor):
        def next_tick(self) -> float:
            return float("inf") if expired else clock.look_again(deadline)

        async def tick(self, causes: tuple[Envelope, ...]) -> None:
            if clock.now() >= deadline:
                expired.append(trio.current_time())

    await crew.start(ActorRef("expiry"), Expiry)
    await trio.sleep(600)
    clock.move(timedelta(hours=3))
    await trio.sleep(600)
    assert len(expired) == 1
    assert 600 <= expired[0] <= 630
