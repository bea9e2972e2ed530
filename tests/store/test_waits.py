"""A wait in the rows lasts as long as it is whatever the wall clock does, after a start at most so long (B12)."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from actors.jobs.retry import LONGEST_RETRY_AFTER
from actors.kernel import Clock
from actors.kernel.steps import TOLERANCE, StepWatch
from actors.store import clock_steps, dialect, gates, waits
from actors.store.schema import idempotency_keys, lanes, metadata, queue_entries

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
EXACT = TOLERANCE.total_seconds() + 0.001


class Machine(Clock):
    """A machine with two clocks, one of which is stepped, and one row for each wait that began."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.true = 0.0
        self.offset = 0.0
        self.started = 0.0
        self.began: dict[str, tuple[float, float]] = {}
        self.watch = StepWatch(self)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.true + self.offset)

    def steady(self) -> float:
        return self.true - self.started

    def transaction(self) -> None:
        """What the store does at the beginning of each."""
        step = self.watch.read()[1]
        if step is not None:
            clock_steps.follow(self.connection, step)
            self.watch.applied(step)

    def restart(self, downtime: float) -> None:
        self.true += downtime
        self.started = self.true
        self.watch = StepWatch(self)
        clock_steps.start(self.connection, self.now())

    def begin(self, seconds: float) -> None:
        self.transaction()
        name = f"p{len(self.began)}"
        self.began[name] = (self.true, seconds)
        until = self.now() + timedelta(seconds=seconds)
        gates.put(self.connection, gates.Gate(name, closed_until=until, closed_reason="why", closed_seconds=seconds))

    def check(self) -> None:
        """Exact in the run in which it began; after a start no longer than the wait is from then on."""
        self.transaction()
        for name, gate in gates.read(self.connection).items():
            began, seconds = self.began[name]
            left = (gate.closed_until - self.now()).total_seconds()
            if began >= self.started:
                assert abs(left - (began + seconds - self.true)) <= EXACT
            else:
                assert left <= self.started + seconds - self.true + EXACT


DO = {
    "begin": st.floats(0.5, LONGEST_RETRY_AFTER),
    "pass": st.floats(0, 10_000),
    "step": st.one_of(st.floats(-1e8, 1e8), st.floats(-2, 2), st.sampled_from([-10_800.0, 10_800.0, -31_536_000.0])),
    "restart": st.floats(0, 10_000),
}
OPS = st.lists(
    st.one_of(*(st.tuples(st.just(name), values) for name, values in DO.items())), min_size=1, max_size=12
)  # fmt: skip


@contextmanager
def database():
    engine = dialect.open_engine(None)
    try:
        metadata.create_all(engine)
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@settings(max_examples=80, deadline=None)
@given(OPS)
def test_a_wait_lasts_as_long_as_it_is_whatever_the_clock_does(ops):
    with database() as connection:
        machine = Machine(connection)
        for name, value in ops:
            match name:
                case "begin":
                    machine.begin(value)
                case "pass":
                    machine.true += value
                case "step":
                    machine.offset += value
                case "restart":
                    machine.restart(value)
            machine.check()


def entry(job_id, seq, **fields):
    return {
        "job_id": job_id, "status": "pending", "user_id": "ana", "provider": "p", "cpus": 1, "gpus": 0,
        "base_priority": 10, "queued_at": START, "queued_seq": seq, "max_attempts": 3, **fields,
    }  # fmt: skip


def test_a_wait_of_a_database_of_before_that_tells_no_length_ends_within_a_day():
    with database() as connection:
        far = START + timedelta(days=365)
        connection.execute(insert(queue_entries), entry("a", 1, not_before=far))
        waits.bound(connection, START)
        ends = connection.execute(select(queue_entries.c.not_before)).scalar_one()
        assert ends == START + timedelta(seconds=LONGEST_RETRY_AFTER)


@attrs.frozen
class Queued:
    job_id: str
    at: datetime


def test_entries_keep_their_order_and_lanes_their_heads_when_the_clock_is_put_back():
    with database() as connection:
        ahead = [START + timedelta(hours=3, seconds=second) for second in range(3)]
        rows = [entry(f"j{seq}", seq, queued_at=at, lane_id=1) for seq, at in enumerate(ahead)]
        connection.execute(
            insert(queue_entries), [*rows, entry("old", 9, queued_at=START - timedelta(hours=1), lane_id=2)]
        )
        connection.execute(
            insert(lanes),
            {
                "lane_id": 1, "user_id": "ana", "org_id": "", "team_id": "", "provider": "p", "cpus": 1, "gpus": 0,
                "memory": 0, "base_priority": 10, "override": -1, "count": 3, "head_job_id": "j0",
                "head_queued_at": ahead[0], "head_queued_seq": 0, "blocked_since": START + timedelta(hours=3),
            },
        )  # fmt: skip
        waits.shift(connection, timedelta(hours=-3), START)
        order = select(queue_entries.c.job_id, queue_entries.c.queued_at).order_by(
            queue_entries.c.queued_at, queue_entries.c.queued_seq
        )
        found = [Queued(*row) for row in connection.execute(order)]
        assert [one.job_id for one in found] == ["old", "j0", "j1", "j2"]
        assert {one.at for one in found[1:]} == {START}
        lane = connection.execute(select(lanes)).one()
        assert (lane.head_job_id, lane.head_queued_at, lane.blocked_since) == ("j0", START, START)


def test_a_key_of_a_clock_that_was_ahead_binds_from_now_on():
    with database() as connection:
        row = {"user_id": "ana", "key": "k", "job_id": "j", "fingerprint": "f", "created_at": START + timedelta(days=9)}
        connection.execute(insert(idempotency_keys), row)
        waits.bound(connection, START)
        assert connection.execute(select(idempotency_keys.c.created_at)).scalar_one() == START
