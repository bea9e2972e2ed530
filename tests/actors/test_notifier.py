"""The notifier over a whole runtime in virtual time: what a target receives, when, and in which order (E11)."""

from __future__ import annotations

from datetime import timedelta

import attrs
import trio

from actors.jobs.notifications import NotificationState, Outcome
from actors.jobs.records import Rerun
from actors.ledger.notifying import Tried, record
from actors.store import notifications as rows
from actors.testing import request
from tests.actors.notifier_lab import CHAT, DOWN, ended, row_of


async def test_the_end_of_a_job_is_sent_to_the_target_that_it_names(autojump_clock, lab):
    async with lab.open() as runtime:
        job = await ended(runtime, notify=("chat",), config_name="train-1", duration=5)
        ((target, sent),) = lab.targets.received
        assert target == "chat"
        assert list(sent.body) == ["type", "timestamp", "data"]
        assert sent.body["type"] == "completed"
        assert sent.body["data"] == {
            "job_id": job.job_id, "name": "train-1", "user_id": "ana", "group": None, "status": "completed",
            "started_at": "2024-01-15T10:30:00.000Z", "completed_at": "2024-01-15T10:30:05.000Z", "exit_code": 0,
            "reason": None, "correlation_id": job.correlation_id,
        }  # fmt: skip
        assert (await row_of(runtime, job.job_id)).state == "delivered"


async def test_a_job_that_names_no_target_reads_and_writes_nothing(autojump_clock, lab):
    async with lab.open() as runtime:
        job = await ended(runtime)
        assert lab.targets.received == []
        assert await runtime.ledger.read(rows.of_job, job.job_id, 10) == []


async def test_defaults_are_for_jobs_that_name_none(autojump_clock, lab):
    lab.notify = attrs.evolve(lab.notify, defaults={"ana": ("chat",)})
    async with lab.open() as runtime:
        await ended(runtime)
        await ended(runtime, notify=("other",))
        await ended(runtime, user_id="bo")
    assert [target for target, _ in lab.targets.received] == ["chat", "other"]


async def test_a_target_is_sent_the_types_that_it_asks_for_in_order(autojump_clock, lab):
    async with lab.open() as runtime:
        job = await runtime.submit(request(notify=("all", "chat"), requires_approval="dear", duration=5))
        await runtime.approve(job.job_id, by="bo")
        await runtime.wait(job.job_id)
        await trio.sleep(1)
    assert lab.targets.types("all") == ["approval_requested", "approval_decided", "started", "completed"]
    assert lab.targets.types("chat") == ["approval_requested", "completed"]
    assert [one.body["data"]["reason"] for name, one in lab.targets.received if name == "all"] == [
        "dear", "Approved by bo", None, None,
    ]  # fmt: skip


async def test_a_rejected_job_is_cancelled(autojump_clock, lab):
    async with lab.open() as runtime:
        job = await runtime.submit(request(notify=("all",), requires_approval="dear"))
        await runtime.reject(job.job_id, by="bo", reason="too dear")
        await trio.sleep(1)
    assert lab.targets.types("all") == ["approval_requested", "approval_decided", "cancelled"]
    assert lab.targets.received[-1][1].body["data"]["reason"] == "Rejected: too dear"


async def test_a_reason_is_short_and_without_secrets(autojump_clock, lab):
    async with lab.open() as runtime:
        await ended(runtime, notify=("chat",), result="failed", error="token=abcdefgh12345678 " + "x" * 900)
    reason = lab.targets.received[0][1].body["data"]["reason"]
    assert len(reason) == 500
    assert "abcdefgh" not in reason


async def test_what_is_more_than_per_minute_becomes_one_digest(autojump_clock, lab):
    lab.notify = attrs.evolve(lab.notify, per_minute=3)
    lab.targets.seconds["chat"] = 0.0
    async with lab.open() as runtime:
        jobs = [await ended(runtime, notify=("chat",), result="failed" if number == 7 else "completed")
                for number in range(8)]  # fmt: skip
        await trio.sleep(180)
        states = [(await row_of(runtime, job.job_id)).state for job in jobs]
    assert lab.targets.types("chat") == ["completed"] * 3 + ["digest"]
    data = lab.targets.received[-1][1].body["data"]
    assert data["counts"] == {"completed": 4, "failed": 1}
    assert [one["job_id"] for one in data["notifications"]] == [job.job_id for job in jobs[3:]]
    assert states == ["delivered"] * 8


async def test_a_digest_keeps_the_order_of_a_job(autojump_clock, lab):
    """What follows in a job waits for the digest that stands for what was before."""
    lab.notify = attrs.evolve(lab.notify, per_minute=1)
    lab.targets.answers["all"].extend([Outcome(), DOWN])
    async with lab.open() as runtime:
        await ended(runtime, notify=("other",))
        jobs = [await runtime.submit(request(notify=("all",), duration=30)) for _ in range(4)]
        await trio.sleep(300)
    seen = [one.body["data"] for name, one in lab.targets.received if name == "all"]
    assert len(seen) < 8
    order = {job.job_id: [] for job in jobs}
    done = set()
    for name, one in lab.targets.received:
        if name != "all" or one.notification_id in done:
            continue
        done.add(one.notification_id)
        for each in one.body["data"].get("notifications") or [one.body["data"] | {"type": one.type.value}]:
            if each["type"] not in order[each["job_id"]]:
                order[each["job_id"]].append(each["type"])
    assert set(map(tuple, order.values())) == {("started", "completed")}


async def test_of_a_group_failures_are_sent_singly_and_the_rest_at_its_end(autojump_clock, lab):
    async with lab.open() as runtime:
        jobs = [
            await runtime.submit(request(notify=("chat",), group="rates", duration=number * 10, result=result))
            for number, result in enumerate(["completed", "failed", "completed", "completed"])
        ]
        await trio.sleep(25)
        assert lab.targets.types("chat") == ["failed"]
        for job in jobs:
            await runtime.wait(job.job_id)
        await trio.sleep(1)
    assert lab.targets.types("chat") == ["failed", "group_ended"]
    body = lab.targets.received[-1][1].body
    assert body["data"]["counts"] == {"completed": 3, "failed": 1}
    assert (body["data"]["user_id"], body["data"]["group"]) == ("ana", "rates")


async def test_a_target_that_asks_for_failures_alone_hears_nothing_of_the_end_of_a_group(autojump_clock, lab):
    lab.notify = attrs.evolve(lab.notify, targets={**lab.notify.targets, "other": attrs.evolve(CHAT, on=("failed",))})
    async with lab.open() as runtime:
        for result in ("completed", "failed"):
            await ended(runtime, notify=("chat", "other"), group="rates", duration=1, result=result)
        await trio.sleep(60)
    assert lab.targets.types("other") == ["failed"]
    assert sorted(lab.targets.types("chat")) == ["failed", "group_ended", "group_ended"]


async def test_a_doubt_and_another_run_say_their_reasons(autojump_clock, lab):
    async with lab.open() as runtime:
        lost = await runtime.submit(request(notify=("all",), duration=1_000))
        await trio.sleep(1)
        lab.remote.runs[0].forgotten = True
        again = await ended(runtime, notify=("all",), duration=5, interruptions=1, rerun=Rerun(times=1))
        await trio.sleep(60)
    said = [(one.job_id, one.body["type"], one.body["data"]["reason"]) for name, one in lab.targets.received]
    assert (lost.job_id, "uncertain", "lost: provider scripted no longer knows it") in said
    assert (again.job_id, "rerun", "preempted as scripted") in said


async def test_the_end_of_a_group_is_noticed_although_its_last_job_notifies_nobody(autojump_clock, lab):
    async with lab.open() as runtime:
        await runtime.submit(request(notify=("chat",), group="rates", duration=1))
        await runtime.submit(request(group="rates", duration=20))
        await trio.sleep(22)
    assert lab.targets.types("chat") == ["group_ended"]


async def test_notifications_are_removed_with_their_jobs_and_others_by_their_age(autojump_clock, lab):
    async with lab.open() as runtime:
        await ended(runtime, notify=("chat",), duration=1)
        await ended(runtime, notify=("chat",), group="night", duration=1)
        assert lab.targets.types("chat") == ["completed", "group_ended"]
        lab.clock.move(timedelta(days=100))
        await runtime.jobs.prune(yes=True)
        assert list(await runtime.notifications.page()) == []


async def test_a_digest_that_waits_is_not_removed(autojump_clock, lab):
    lab.targets.always["chat"] = DOWN
    async with lab.open() as runtime:
        await ended(runtime, notify=("chat",), group="night", duration=1)
        lab.clock.move(timedelta(days=100))
        await runtime.jobs.prune(yes=True)
        assert [one.type for one in await runtime.notifications.page()] == ["group_ended"]


async def test_a_target_is_shown_as_it_is_configured_and_one_that_is_not_with_what_waits_for_it(autojump_clock, lab):
    lab.targets.always["chat"] = DOWN
    async with lab.open() as runtime:
        job = await ended(runtime, notify=("chat",), duration=1)
        written = (await row_of(runtime, job.job_id)).created_at
        options = runtime.ledger.outbox.options
        runtime.ledger.outbox.options = attrs.evolve(options, targets={"other": options.targets["other"]})
        chat, other = await runtime.notifications.targets()
        assert (chat.name, chat.configured, chat.address, chat.format, chat.on) == ("chat", False, None, None, ())
        assert (chat.waiting, chat.waiting_since) == (1, written)
        assert (other.name, other.configured, other.address) == ("other", True, "https://chat.example/***")
        assert (other.format, other.on) == (options.targets["other"].format, options.targets["other"].on)
        assert (other.waiting, other.waiting_since, other.disabled_reason, other.disabled_at) == (0, None, None, None)


async def test_the_result_of_a_try_counts_once_and_not_for_what_is_gone(autojump_clock, lab):
    lab.targets.always["chat"] = DOWN
    async with lab.open() as runtime:
        job = await ended(runtime, notify=("chat",), duration=1)
        number = (await row_of(runtime, job.job_id)).notification_id
        tried = [Tried(number, Outcome()), Tried(number + 1, Outcome())]
        (found,) = await runtime.ledger.write(record, tried, jitter=lambda: 0.5)
        assert (found.notification.job_id, found.state) == (job.job_id, NotificationState.DELIVERED)
        assert (found.wait, found.failure) == (None, None)
        assert await runtime.ledger.write(record, tried, jitter=lambda: 0.5) == []


async def test_groups_are_awaited_until_their_last_job_has_ended(autojump_clock, lab):
    async with lab.open() as runtime:
        await runtime.submit(request(notify=("chat",), group="rates", duration=1))
        last = await runtime.submit(request(group="rates", duration=20))
        await trio.sleep(5)
        assert len(await runtime.ledger.read(rows.awaited_groups)) == 1
        await runtime.wait(last.job_id)
        await trio.sleep(1)
        assert await runtime.ledger.read(rows.awaited_groups) == []
    assert lab.targets.types("chat") == ["group_ended"]
