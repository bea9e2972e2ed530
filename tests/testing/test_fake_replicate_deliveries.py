"""The fake's webhooks: signed, repeated until they are taken, and in whatever disorder is asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import trio
from standardwebhooks import Webhook

from actors.kernel import VirtualClock
from actors.testing.fake_replicate import Deliveries, Disorder, FakeReplicate, Script

URL = "https://host.example/hook"


class Inbox:
    """Takes deliveries; answers with what ``answers`` holds, then 200."""

    def __init__(self, fake):
        self.fake = fake
        self.answers = []
        self.got = []

    async def post(self, url, headers, body):
        await trio.lowlevel.checkpoint()
        status = self.answers.pop(0) if self.answers else 200
        self.got.append((trio.current_time() - self.start, headers["webhook-id"], json.loads(body)["status"], status))
        assert url == URL
        self.headers, self.body = headers, body
        return status


@pytest.fixture
async def fake():
    return FakeReplicate(VirtualClock().now)


@pytest.fixture
async def inbox(fake):
    inbox = Inbox(fake)
    inbox.start = trio.current_time()
    return inbox


def make(fake, events=("start", "completed"), **script):
    fake.script("*", Script(**script))
    return fake.create("prediction", "m/n", "v", {}, webhook=URL, events=frozenset(events))


async def test_each_step_is_told_when_it_happens(autojump_clock, nursery, fake, inbox):
    nursery.start_soon(Deliveries(fake, inbox.post).run)
    make(fake, queue_seconds=5, seconds=10)
    await trio.sleep(100)
    assert [(at, status) for at, _, status, _ in inbox.got] == [(5, "processing"), (15, "succeeded")]


async def test_only_what_was_asked_for_is_told(autojump_clock, nursery, fake, inbox):
    nursery.start_soon(Deliveries(fake, inbox.post).run)
    make(fake, ["completed"], seconds=10)
    fake.create("prediction", "m/n", "v", {})
    await trio.sleep(100)
    assert [status for _, _, status, _ in inbox.got] == ["succeeded"]


async def test_a_cancelled_job_is_told_once_at_its_real_end(autojump_clock, nursery, fake, inbox):
    nursery.start_soon(Deliveries(fake, inbox.post).run)
    job = make(fake, ["completed"], seconds=50)
    await trio.sleep(20)
    fake.cancel(job)
    await trio.sleep(100)
    assert [(at, status) for at, _, status, _ in inbox.got] == [(20, "canceled")]


async def test_a_delivery_is_repeated_under_its_id_until_it_is_taken(autojump_clock, nursery, fake, inbox):
    inbox.answers = [0, 500]
    deliveries = Deliveries(fake, inbox.post)
    nursery.start_soon(deliveries.run)
    make(fake, ["completed"], seconds=10)
    await trio.sleep(100)
    assert [(at, status) for at, _, _, status in inbox.got] == [(10, 0), (11, 500), (16, 200)]
    assert len({delivery for _, delivery, _, _ in inbox.got}) == 1
    assert deliveries.sent == {0: 1, 500: 1, 200: 1}


async def test_nobody_is_asked_for_ever(autojump_clock, nursery, fake, inbox):
    inbox.answers = [500] * 100
    nursery.start_soon(Deliveries(fake, inbox.post).run)
    make(fake, ["completed"])
    await trio.sleep(10_000)
    assert len(inbox.got) == 4


async def test_deliveries_can_be_doubled_late_and_lost(autojump_clock, nursery, fake, inbox):
    nursery.start_soon(Deliveries(fake, inbox.post, Disorder(late=30, copies=2)).run)
    for _ in range(10):
        make(fake, seconds=1)
    await trio.sleep(100)
    order = [status for _, _, status, _ in inbox.got]
    assert len(order) == 40
    assert order.index("succeeded") < len(order) - 1 - order[::-1].index("processing")
    quiet = Inbox(fake)
    nursery.start_soon(Deliveries(fake, quiet.post, Disorder(lost=True)).run)
    make(fake, seconds=1)
    await trio.sleep(100)
    assert quiet.got == []


async def test_a_signature_is_what_the_reference_makes(autojump_clock, nursery, fake, inbox):
    nursery.start_soon(Deliveries(fake, inbox.post).run)
    fake.rotate_secret()
    make(fake, ["completed"], seconds=1)
    await trio.sleep(2)
    headers = inbox.headers
    moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Webhook(fake.secret).sign(headers["webhook-id"], moment, inbox.body.decode()) == headers["webhook-signature"]
