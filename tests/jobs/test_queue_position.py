"""An entry's place in the queue, and what is said of how long it will wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.jobs.queue_position import Moment, position
from actors.jobs.records import QueueEntry, QueueStatus, Resources
from actors.jobs.scheduling import Head, Lane

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

Queued = tuple[int, int | None, int]
"""Base priority, override, minutes waited."""


def entry(base: int, override: int | None, minutes: int, seq: int) -> QueueEntry:
    queued_at = NOW - timedelta(minutes=minutes)
    return QueueEntry(f"job-{seq}", QueueStatus.PENDING, base, override, queued_at, seq)


def place(entries: list[QueueEntry], asked: QueueEntry) -> int:
    """The position that is worked out from lanes and counts of what was queued before a moment."""
    grouped: dict[tuple[int, int | None], list[QueueEntry]] = {}
    for one in sorted(entries, key=lambda one: (one.queued_at, one.queued_seq)):
        grouped.setdefault((one.base_priority, one.priority_override), []).append(one)
    lanes = [
        Lane(number, "ana", None, None, "local", Resources(), base, override, len(members),
             Head(members[0].job_id, members[0].queued_at, members[0].queued_seq))
        for number, ((base, override), members) in enumerate(grouped.items())
    ]  # fmt: skip

    def count_before(lane: Lane, moment: Moment) -> int:
        members = grouped[lane.base_priority, lane.override]
        return sum((one.queued_at, one.queued_seq) < moment for one in members)

    return position(asked, lanes, NOW, count_before)


def rank(one: QueueEntry) -> tuple[int, datetime, int]:
    priority = one.base_priority if one.priority_override is None else one.priority_override
    waited = NOW - one.queued_at
    while priority < 40 and waited >= timedelta(hours=1):
        waited -= timedelta(hours=1)
        priority = min(40, priority + 10)
    return (-priority, one.queued_at, one.queued_seq)


queued = st.tuples(
    st.sampled_from([0, 10, 20, 30]),
    st.sampled_from([None, None, 0, 5, 35, 40, 45, 50]),
    st.integers(-5, 300) | st.sampled_from([0, 60, 120, 180, 240]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(queued, min_size=1, max_size=20))
def test_the_place_is_the_one_in_the_whole_queue_sorted(waiting: list[Queued]) -> None:
    """Ageing included: what stands before an entry is counted exactly, without reading the queue."""
    entries = [entry(*one, seq) for seq, one in enumerate(waiting)]
    in_order = sorted(entries, key=rank)
    assert [place(entries, one) for one in in_order] == list(range(len(entries)))


def test_the_thirtieth_job_is_told_that_twenty_nine_stand_before_it() -> None:
    entries = [entry(10, None, 30, seq) for seq in range(30)]
    assert place(entries, entries[29]) == 29
