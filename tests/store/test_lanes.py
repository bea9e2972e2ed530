"""Lanes are what the queue says they are, whatever happens to entries: checked against a naive count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.records import QueueEntry, QueueStatus, Resources
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, lanes, queue, schema
from actors.testing import request

START = datetime(2024, 1, 1, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "run", "back_off", "release", "override", "cancel", "block", "unblock"]),
        st.integers(0, 11),
        st.integers(0, 3),
    ),
    max_size=40,
)


def entry(number, status, user):
    wanted = request(user_id=f"u{user}", resources=Resources(gpus=user % 2))
    made = QueueEntry(f"j{number:03}", status, 10, None, START + timedelta(seconds=number % 5), number)
    return queue.to_row(made, queue.owner_of(wanted))


def apply(connection, step, number, user, known):
    name = f"j{number:03}"
    if step == "add" and name not in known:
        queue.add(connection, [entry(number, QueueStatus.PENDING, user)])
        known.add(name)
    elif name in known:
        changes = {
            "run": {"status": QueueStatus.RUNNING, "not_before": None},
            "back_off": {"status": QueueStatus.PENDING, "not_before": START + timedelta(seconds=user)},
            "override": {"priority_override": user * 10},
            "cancel": {"status": QueueStatus.CANCELLED},
            "block": {"status": QueueStatus.BLOCKED},
            "unblock": {"status": QueueStatus.PENDING, "not_before": None},
        }.get(step)
        if changes is not None:
            queue.change(connection, name, **changes)
    if step == "release":
        queue.release_due(connection, START + timedelta(seconds=user))


def naive(connection):
    rows = connection.exec_driver_sql(
        "SELECT user_id, gpus, COALESCE(priority_override, -1), job_id, queued_at, queued_seq FROM queue_entries"
        " WHERE status = 'pending' AND not_before IS NULL ORDER BY queued_at, queued_seq"
    ).all()
    expected: dict[tuple[object, ...], list[str]] = {}
    for user, gpus, override, job_id, _, _ in rows:
        expected.setdefault((user, gpus, override), []).append(job_id)
    return {key: (len(ids), ids[0]) for key, ids in expected.items()}


def kept(connection):
    return {
        (lane.user_id, lane.resources.gpus, -1 if lane.override is None else lane.override): (
            lane.count,
            lane.head.job_id,
        )
        for lane in lanes.read(connection)
    }


def waiting_of(connection, user):
    query = "SELECT COUNT(*) FROM queue_entries WHERE user_id = ? AND status IN ('pending', 'blocked')"
    return connection.exec_driver_sql(query, (user,)).scalar_one()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_lanes_summarise_the_entries_that_could_run(steps):
    async def main():
        store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
        await store.open()
        known: set[str] = set()
        for step, number, user in steps:
            await store.write(lambda tx, args=(step, number, user): apply(tx.connection, *args, known))
            assert await store.read(kept) == await store.read(naive)
            for each in ("u0", "u1", "u2", "u3"):
                assert await store.read(lambda c, each=each: queue.number_waiting(c, each)) == await store.read(
                    lambda c, each=each: waiting_of(c, each)
                )
        await store.aclose()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_the_entry_after_a_head_is_the_next_oldest():
    async def main():
        store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
        await store.open()
        rows = [entry(number, QueueStatus.PENDING, 0) for number in range(12)]
        await store.write(lambda tx: queue.add(tx.connection, rows))
        (lane,) = await store.read(lanes.read)
        order = []
        head = lane.head
        while head is not None:
            order.append(head.job_id)
            head = await store.read(lambda connection, head=head: lanes.after(connection, lane.lane_id, head))
        assert order == [row["job_id"] for row in sorted(rows, key=lambda row: (row["queued_at"], row["queued_seq"]))]
        assert attrs.evolve(lane, count=12) == lane
        await store.aclose()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def test_what_a_rolled_back_transaction_showed_is_never_taken_for_the_lane():
    """A look inside a transaction that fails remembers its lanes by tags that no row has afterwards."""
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    looks: list[list[lanes.Lane]] = []

    def add(number, fail):
        def closure(tx):
            queue.add(tx.connection, [entry(number, QueueStatus.PENDING, 1)])
            looks.append(lanes.read(tx.connection))
            if fail:
                raise ZeroDivisionError

        return closure

    await store.write(add(1, fail=False))
    with pytest.raises(ZeroDivisionError):
        await store.write(add(2, fail=True))
    await store.write(add(3, fail=False))
    assert [lane.count for look in looks for lane in look] == [1, 2, 2]
    assert [lane.count for lane in await store.write(lambda tx: lanes.read(tx.connection))] == [2]
    await store.aclose()


async def test_only_lanes_that_changed_are_read_whole():
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()

    def closure(tx):
        queue.add(tx.connection, [entry(n, QueueStatus.PENDING, n % 3) for n in range(6)])
        lanes.read(tx.connection)
        asked: list[str] = []
        driver = tx.connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        again = lanes.read(tx.connection)
        queue.add(tx.connection, [entry(9, QueueStatus.PENDING, 0)])
        before = len(asked)
        third = lanes.read(tx.connection)
        driver.set_trace_callback(None)
        return again, third, asked[:1], asked[before:]

    again, third, first, last = await store.write(closure)
    assert sorted(lane.count for lane in again) == [2, 2, 2]
    assert sorted(lane.count for lane in third) == [2, 2, 3]
    assert len(first) == 1
    assert len(last) == 2
    await store.aclose()


async def test_a_lane_without_a_tag_is_read_each_time():
    """As after a migration, or where somebody changed a row by hand."""
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()

    def closure(tx):
        queue.add(tx.connection, [entry(1, QueueStatus.PENDING, 1)])
        lanes.read(tx.connection)
        tx.connection.exec_driver_sql("UPDATE lanes SET count = 7, tag = NULL")
        return [lanes.read(tx.connection)[0].count for _ in range(2)]

    assert await store.write(closure) == [7, 7]
    await store.aclose()


def test_the_columns_of_a_lane_stand_in_the_order_in_which_its_row_is_unpacked():
    """Lanes are made of rows by place: a column added in the middle of the table must not go unnoticed."""
    assert [column.name for column in schema.lanes.columns] == [
        "lane_id", "user_id", "org_id", "team_id", "provider", "cpus", "gpus", "memory", "base_priority", "override",
        "count", "head_job_id", "head_queued_at", "head_queued_seq", "blocked_since",
        "tag", "head_max_runtime",
    ]  # fmt: skip
