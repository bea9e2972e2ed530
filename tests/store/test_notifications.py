"""Rows of the outbox: order within a job and target, digests, waits that move with the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.jobs.notifications import NotificationState
from actors.jobs.notify_options import NotificationType
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, notifications, waits

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
FAILED, DIGEST = NotificationType.FAILED, NotificationType.DIGEST
LATER = timedelta(seconds=90)


@pytest.fixture
async def run(autojump_clock):
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()

    async def write(function, *args, **more):
        return await store.write(lambda tx: function(tx.connection, *args, **more))

    yield write
    await store.aclose()


def get(connection, number):
    (found,) = notifications.get_many(connection, [number])
    return found


def due(connection, target="chat", now=NOW):
    return [one.notification_id for one in notifications.due(connection, target, now, 10)]


async def test_only_the_first_of_a_job_and_target_is_due(run):
    behind = [("chat", "a"), ("chat", "a"), ("chat", "b"), ("page", "a"), ("chat", None)]
    numbers = [await run(notifications.add, target, FAILED, {}, NOW, job) for target, job in behind]
    assert await run(due) == [numbers[0], numbers[2], numbers[4]]
    assert await run(due, "page") == [numbers[3]]
    first = await run(get, numbers[0])
    await run(notifications.end, first, NotificationState.GIVEN_UP, NOW)
    assert await run(due) == [numbers[1], numbers[2], numbers[4]]
    assert await run(notifications.waiting_targets) == ["chat", "page"]


async def test_what_stands_behind_a_digest_is_due_when_that_has_ended(run):
    first, second = [await run(notifications.add, "chat", FAILED, {}, NOW, "a") for _ in range(2)]
    digest = await run(notifications.add, "chat", DIGEST, {}, NOW)
    merged = {"state": NotificationState.MERGED, "next_try_at": None, "merged_into": digest}
    await run(notifications.change, first, **merged)
    third = await run(notifications.add, "chat", FAILED, {}, NOW, "a")
    assert await run(due) == [digest]
    await run(notifications.end, await run(get, digest), NotificationState.DELIVERED, NOW)
    assert await run(due) == [second]
    assert (await run(get, first)).state is NotificationState.DELIVERED
    assert (await run(get, third)).next_try_at is None


@pytest.mark.parametrize("by", [timedelta(days=-3), timedelta(hours=5)])
async def test_a_wait_moves_with_the_wall_clock(run, by):
    number = await run(notifications.add, "chat", FAILED, {}, NOW, "a")
    await run(notifications.change, number, next_try_at=NOW + LATER, wait_seconds=LATER.total_seconds())
    assert await run(notifications.next_due, "chat", NOW) == NOW + LATER
    await run(waits.shift, by, NOW + by)
    assert (await run(get, number)).next_try_at == NOW + by + LATER


async def test_over_a_restart_a_wait_lasts_no_longer_than_its_length(run):
    number = await run(notifications.add, "chat", FAILED, {}, NOW, "a")
    await run(notifications.change, number, next_try_at=NOW + LATER, wait_seconds=LATER.total_seconds())
    earlier = NOW - timedelta(days=3)
    await run(waits.bound, earlier)
    assert (await run(get, number)).next_try_at == earlier + LATER


async def test_an_id_is_that_of_one_notification_of_one_database(run):
    numbers = [await run(notifications.add, "chat", FAILED, {}, NOW, "a") for _ in range(2)]
    ids = {(await run(get, number)).message_id for number in numbers}
    again = await run(notifications.add, "chat", FAILED, {}, NOW + LATER, "a")
    assert len(ids | {(await run(get, again)).message_id}) == 3
