"""Targets that are down, hang or are gone, and a notifier that fails: what is sent again, and what is given up."""

from __future__ import annotations

import logging
from datetime import timedelta

import attrs
import pytest
import trio

from actors.jobs.notifications import Outcome
from actors.jobs.refusal import Refused
from actors.ledger.notifications import enable
from actors.store import notifications as rows
from actors.testing import request
from supervision import FaultPlan
from tests.actors.notifier_lab import DOWN, ended, row_of


async def test_a_target_that_is_down_is_tried_again_with_growing_waits_under_the_same_id(autojump_clock, lab):
    lab.targets.answers["chat"].extend([DOWN] * 5)
    async with lab.open() as runtime:
        job = await ended(runtime, notify=("chat",))
        await trio.sleep(400)
        found = await row_of(runtime, job.job_id)
    waits = [later - earlier for earlier, later in zip(lab.targets.times, lab.targets.times[1:], strict=False)]
    assert len(waits) == 5
    for number, wait in enumerate(waits):
        assert 2.5 * 2**number <= wait <= 5 * 2**number + 0.1
    assert len({one.message_id for _, one in lab.targets.received}) == 1
    assert (found.state, found.tries, found.last_error) == ("delivered", 6, None)


async def test_what_cannot_be_delivered_is_given_up_in_the_end(autojump_clock, lab, monkeypatch):
    monkeypatch.setattr("actors.jobs.notifications.GIVE_UP_AFTER", 3_600.0)  # a day takes a while in virtual time, too
    lab.targets.always["chat"] = DOWN
    async with lab.open() as runtime:
        job = await ended(runtime, notify=("chat",))
        await trio.sleep(3_590)
        assert (await row_of(runtime, job.job_id)).state == "pending"
        await trio.sleep(20)
        found = await row_of(runtime, job.job_id)
    assert (found.state, found.last_error) == ("given_up", "answered 503")
    assert found.waited_seconds == 3_600.0


async def test_tries_that_are_made_again_keep_to_the_rate_too(autojump_clock, lab):
    """As after an hour in which a target was down, when all that has waited is due."""
    lab.notify = attrs.evolve(lab.notify, per_minute=4)
    lab.targets.answers["chat"].extend([DOWN] * 40)
    async with lab.open() as runtime:
        for _ in range(4):
            for _ in range(3):
                await ended(runtime, notify=("chat",))
            await trio.sleep(60)
        await trio.sleep(3_600)
    times = lab.targets.times
    assert len(times) > 40
    assert max(sum(begin <= at < begin + 59.9 for at in times) for begin in times) == 4


async def test_each_try_is_a_line_that_says_what_came_of_it_and_names_target_and_job(autojump_clock, lab, caplog):
    """A WARNING only where nothing more is tried; a delivery at DEBUG."""
    caplog.set_level(logging.DEBUG, "actors.notifier")
    lab.targets.answers["chat"].extend([DOWN, Outcome(), Outcome("answered 404", final=True)])
    async with lab.open() as runtime:
        first = await ended(runtime, notify=("chat",))
        await trio.sleep(20)
        second = await ended(runtime, notify=("chat",))
    said = [record for record in caplog.records if record.name == "actors.notifier"]
    assert [(record.levelname, record.message) for record in said] == [
        ("INFO", "Notification not delivered yet: answered 503"),
        ("DEBUG", "Notification delivered"),
        ("WARNING", "Notification given up: answered 404"),
    ]
    assert [(record.target, record.job_id) for record in said] == [
        ("chat", first.job_id), ("chat", first.job_id), ("chat", second.job_id),
    ]  # fmt: skip
    assert 2.5 <= said[0].wait_seconds <= 5


async def test_the_next_of_a_job_follows_when_the_one_before_was_acknowledged_or_given_up(autojump_clock, lab):
    answers = [DOWN, DOWN, Outcome("answered 400", final=True), DOWN, Outcome()]
    async with lab.open() as runtime:
        job = await runtime.submit(request(notify=("all",), duration=1))
        lab.targets.decide = lambda one: answers.pop(0) if one.job_id == job.job_id else None
        await runtime.wait(job.job_id)
        other = await ended(runtime, notify=("all",), duration=1)
        assert set(lab.targets.types("all", job.job_id)) == {"started"}
        assert lab.targets.types("all", other.job_id) == ["started", "completed"]
        await trio.sleep(60)
        states = [one.state for one in await runtime.ledger.read(rows.of_job, job.job_id, 10)]
    assert lab.targets.types("all", job.job_id) == ["started"] * 3 + ["completed"] * 2
    assert states == ["given_up", "delivered"]


async def test_a_target_that_hangs_delays_no_other_and_is_sent_four_at_once(autojump_clock, lab):
    lab.targets.seconds["chat"] = 3600.0
    async with lab.open() as runtime:
        for _ in range(6):
            await ended(runtime, notify=("chat", "other"))
        assert lab.targets.types("other") == ["completed"] * 6
        assert lab.targets.most == {"chat": 4, "other": 1}


async def test_a_target_that_is_gone_is_disabled_until_it_is_enabled_again(autojump_clock, lab):
    lab.targets.answers["chat"].append(Outcome("answered 410", final=True, disables=True))
    async with lab.open() as runtime:
        first = await ended(runtime, notify=("chat",))
        second = await ended(runtime, notify=("chat",))
        await trio.sleep(600)
        assert len(lab.targets.received) == 1
        assert (await row_of(runtime, first.job_id)).state == "given_up"
        found = await row_of(runtime, second.job_id)
        assert (found.state, found.last_error) == ("pending", "the target is disabled: answered 410")
        await runtime.ledger.write(enable, "chat", lab.notify.targets, by="op")
        await trio.sleep(1)
        assert (await row_of(runtime, second.job_id)).state == "delivered"


async def test_a_target_that_is_disabled_is_enabled_though_it_is_no_longer_configured_another_is_refused(
    autojump_clock, lab
):
    lab.targets.answers["chat"].append(Outcome("answered 410", final=True, disables=True))
    async with lab.open() as runtime:
        await ended(runtime, notify=("chat",))
        with pytest.raises(Refused, match="there is no notification target 'caht'"):
            await runtime.ledger.write(enable, "caht", (), by="op")
        await runtime.ledger.write(enable, "chat", (), by="op")
        assert [one.disabled_at for one in await runtime.notifications.targets()] == [None] * 3


async def test_waits_of_a_notification_move_with_the_wall_clock(autojump_clock, lab):
    lab.targets.answers["chat"].extend([DOWN] * 8)
    async with lab.open() as runtime:
        job = await ended(runtime, notify=("chat",))
        await trio.sleep(300)
        before = len(lab.targets.received)
        lab.clock.move(timedelta(days=-2))
        await ended(runtime)
        await trio.sleep(700)
        assert len(lab.targets.received) > before
        assert (await row_of(runtime, job.job_id)).created_at == job.completed_at


@pytest.mark.parametrize("point", ["notify.before", "notify.after"])
async def test_a_notifier_that_fails_is_started_again_and_loses_nothing(autojump_clock, lab, point):
    with FaultPlan(seed=1).at(point, occurrence=1):
        async with lab.open() as runtime:
            job = await runtime.submit(request(notify=("chat",)))
            await runtime.wait(job.job_id)
            await trio.sleep(30)
            assert (await row_of(runtime, job.job_id)).state == "delivered"
            assert runtime.registry.whereis("notifier").incarnation == 2
    assert len({one.message_id for _, one in lab.targets.received}) == 1


async def test_a_notifier_that_cannot_be_kept_alive_is_parked_and_jobs_go_on(autojump_clock, lab):
    with FaultPlan(seed=1).at("notify.before", probability=1.0):
        async with lab.open() as runtime:
            job = await runtime.submit(request(notify=("chat",)))
            await runtime.wait(job.job_id)
            await trio.sleep(600)
            later = await runtime.submit(request())
            assert (await runtime.wait(later.job_id)).status == "completed"
            health = await runtime.health.check()
            assert "notifier is parked" in health.reasons
