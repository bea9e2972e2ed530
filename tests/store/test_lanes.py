"""Lanes are what the queue says they are, whatever happens to entries: checked against a naive count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.records import QueueEntry, QueueStatus, Resources
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, lanes, queue
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
