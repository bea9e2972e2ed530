"""A notifier whose rows are damaged, or that cannot write: others' messages are sent, and none is sent for ever."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest
import trio
from sqlalchemy import text

from actors.control.notifications import MOST_FAILURES
from actors.notifier import Notifier
from actors.store import notifications as rows
from actors.store.errors import StoreUnavailable
from actors.testing import request
from tests.actors.notifier_lab import DOWN, ended


async def damage(runtime, job_id):
    """What the oldest waiting notification of the job says becomes a list."""
    oldest = "SELECT min(notification_id) FROM notifications WHERE job_id = :job AND finished_at IS NULL"
    query = text(f"UPDATE notifications SET body = '[]' WHERE notification_id = ({oldest})")
    await runtime.ledger.write(lambda tx: tx.connection.execute(query, {"job": job_id}))


async def states(runtime, job_id):
    query = text("SELECT state, last_error FROM notifications WHERE job_id = :job ORDER BY notification_id")
    return await runtime.ledger.read(
        lambda connection: [tuple(row) for row in connection.execute(query, {"job": job_id})]
    )


@pytest.mark.parametrize("per_minute", [30, 1], ids=["singly", "in a digest"])
async def test_a_damaged_notification_is_given_up_and_everything_else_is_sent(autojump_clock, lab, per_minute):
    lab.notify = attrs.evolve(lab.notify, per_minute=per_minute)
    lab.targets.always["all"] = DOWN
    async with lab.open() as runtime:
        damaged = await ended(runtime, notify=("all",))
        for _ in range(5):
            await ended(runtime, notify=("all",))
        await damage(runtime, damaged.job_id)
        lab.targets.always.clear()
        other = await ended(runtime, notify=("chat",))
        await trio.sleep(7_200)
        assert lab.targets.types("chat", other.job_id) == ["completed"]
        assert ("given_up", "its row is damaged") in await states(runtime, damaged.job_id)
        waiting = await runtime.ledger.read(rows.waiting)
        assert waiting == {}


async def test_while_nothing_can_be_written_no_message_is_sent_twice_and_health_says_so(
    autojump_clock, lab, monkeypatch
):
    async with lab.open() as runtime:
        for _ in range(5):
            await runtime.submit(request(notify=("chat",), duration=10))
        await trio.sleep(9)
        with monkeypatch.context() as patch:

            async def fail(*_args, **_kwargs):
                raise StoreUnavailable("the disk is full")

            patch.setattr(Notifier, "_write", fail)
            await trio.sleep(3_600)
            failing = [one for one in (await runtime.health.check()).reasons if one.startswith("notifications are not")]
            assert len(failing) == 1
            assert runtime.ledger.outbox.failures > MOST_FAILURES
        await trio.sleep(600)
        assert (await runtime.health.check()).reasons == ()
    assert Counter(Counter(one.message_id for _, one in lab.targets.received).values()) == {1: 5}
