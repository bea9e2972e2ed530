"""Webhooks that are refused: not signed by the account, too long, too slow; and how its secret is asked for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import orjson
import pytest
import trio
from trio.testing import MockClock

from actors.api.webhooks import create_webhook_app
from actors.jobs.deliveries import MOST_READ
from actors.testing.fake_replicate import TOKEN, Fault, FaultKind, signed
from tests.api.webhook_stage import Stage, counted

# What is refused.


async def test_what_cannot_be_believed_is_401_and_tells_nothing(stage: Stage, autojump_clock: MockClock) -> None:
    """No signature, somebody else's, another body, an old one, a body that says nothing: one answer for all."""
    body = orjson.dumps({"id": "abc", "status": "succeeded"})
    good = signed(stage.fake.secret, "msg_1", stage.clock.now(), body)
    theirs = signed("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_1", stage.clock.now(), body)
    empty = signed(stage.fake.secret, "msg_1", stage.clock.now(), b"[]")
    answers = [
        await stage.post(body, {}),
        await stage.post(body, theirs),
        await stage.post(body + b" ", good),
        await stage.post(body, {**good, "webhook-id": "msg_2"}),
        await stage.post(b"[]", empty),
    ]
    await trio.sleep(301)
    answers.append(await stage.post(body, good))
    assert [answer.status_code for answer in answers] == [401] * 6
    assert {answer.json()["detail"] for answer in answers} == {"not accepted"}
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_a_doubled_header_is_401(stage: Stage, autojump_clock: MockClock) -> None:
    """Which of two ids was signed is not for us to choose."""
    body = orjson.dumps({"id": "abc", "status": "succeeded"})
    headers = [*signed(stage.fake.secret, "msg_1", stage.clock.now(), body).items(), ("webhook-id", "msg_1")]
    assert (await stage.http.post("/api/webhooks/replicate", content=body, headers=headers)).status_code == 401


async def test_an_unknown_provider_is_404_without_a_hint(stage: Stage, autojump_clock: MockClock) -> None:
    answer = await stage.http.post("/api/webhooks/replicat", content=b"{}")
    assert answer.status_code == 404
    assert "replicate" not in answer.text


async def unannounced(stage: Stage, receive: Callable[[], Awaitable[dict[str, Any]]], *, well: bool = True) -> int:
    """The status that a request gets whose body comes from ``receive`` and whose length nobody announced.

    ``well``: its headers alone do not give it away.
    """
    statuses = []
    headers = signed(stage.fake.secret, "msg_1", stage.clock.now(), b"another body") if well else {}

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    path = "/api/webhooks/replicate"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": raw}
    await create_webhook_app(stage.runtime)(scope, receive, send)
    return int(statuses[0])


@attrs.define
class Endless:
    """A body without an end, in pieces of ``piece`` bytes; how much of it was ``read``."""

    piece: int
    read: int = 0

    async def receive(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        self.read += self.piece
        return {"type": "http.request", "body": b" " * self.piece, "more_body": True}


async def test_a_body_that_is_too_long_is_413(stage: Stage, autojump_clock: MockClock) -> None:
    """By its announced length, of which nothing is read, and where none is announced by its own."""
    endless = Endless(1 << 20)
    well = signed(stage.fake.secret, "msg_1", stage.clock.now(), b"")
    announced = {**well, "content-length": str(MOST_READ + 1)}
    assert (await stage.http.post("/api/webhooks/replicate", content=b"", headers=announced)).status_code == 413
    assert await unannounced(stage, endless.receive) == 413
    assert endless.read <= MOST_READ + (2 << 20)
    assert counted(stage, "too_long") == 2


async def test_a_body_whose_headers_are_not_to_be_believed_is_not_read(stage: Stage, autojump_clock: MockClock) -> None:
    """Only so much of it is thrown away that the sender of a short one gets to read the answer."""
    endless = Endless(32 << 10)
    assert await unannounced(stage, endless.receive, well=False) == 401
    assert endless.read == 64 << 10
    assert counted(stage, "rejected") == 1


async def test_a_body_that_does_not_come_is_408(stage: Stage, autojump_clock: MockClock) -> None:
    """Nobody holds a place for ever."""

    async def receive() -> dict[str, Any]:
        await trio.sleep(1)
        return {"type": "http.request", "body": b" ", "more_body": True}

    assert await unannounced(stage, receive) == 408


async def test_who_cannot_be_verified_now_may_try_again(stage: Stage, autojump_clock: MockClock) -> None:
    """The account cannot be asked for its secret: 503, and the reason stays in the log."""
    stage.fake.inject(Fault(FaultKind.REFUSED, "GET", "/v1/webhooks/*", times=None))
    answer = await stage.post(orjson.dumps({"id": "abc", "status": "succeeded"}))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "webhooks" not in answer.text


# Rotation.


async def test_a_rotated_secret_is_fetched_once_and_then_believed(stage: Stage, autojump_clock: MockClock) -> None:
    """The first delivery with the new one is believed; one with the old one on its way, too."""
    old = stage.fake.secret
    body = orjson.dumps({"id": "abc", "status": "processing"})
    assert (await stage.post(body)).status_code == 200
    stage.fake.rotate_secret()
    await trio.sleep(61)
    assert (await stage.post(body, delivery="msg_2")).status_code == 200
    late = signed(old, "msg_3", stage.clock.now(), body)
    assert (await stage.post(body, late)).status_code == 200
    assert len(stage.fake.calls("GET", "/v1/webhooks/default/secret")) == 2


async def test_false_deliveries_do_not_make_us_ask_each_time(stage: Stage, autojump_clock: MockClock) -> None:
    """A flood of them costs the account one question a minute."""
    for number in range(50):
        assert (await stage.post(b"{}", {"webhook-id": f"msg_{number}"})).status_code == 401
    assert len(stage.fake.calls("GET", "/v1/webhooks/default/secret")) == 1


@pytest.mark.parametrize("where", ["answer", "log"])
async def test_no_secret_is_told(
    stage: Stage, where: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """Neither to the sender nor to the log."""
    caplog.set_level(logging.DEBUG)
    answer = await stage.post(b"{}", {"webhook-id": "msg_1", "webhook-signature": "v1,AAAA"})
    text = answer.text if where == "answer" else caplog.text
    assert stage.fake.secret not in text
    assert TOKEN not in text
