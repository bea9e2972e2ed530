"""A notification to a URL: what is sent, how it is signed, and what each answer means (E11)."""

from __future__ import annotations

import base64
import json
import logging
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import attrs
import pytest
import trio
from standardwebhooks import Webhook, WebhookVerificationError

from actors.jobs.notifications import Notification, NotificationState
from actors.jobs.notify_options import NotificationTarget, NotificationType
from actors.notification_targets import webhook
from actors.notification_targets.sending import sender
from logconf.masking import mask_text
from tests.ports import silent_port

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 24).decode()
BODY = {"type": "failed", "timestamp": "2026-01-01T00:00:00.000Z",
        "data": {"job_id": "j1", "name": "train-<1>", "user_id": "ana", "group": None, "reason": "é & co",
                 "exit_code": 3, "correlation_id": "0123456789abcdef0123456789abcdef"}}  # fmt: skip
ONE = Notification(
    1, "j1", "chat", NotificationType.FAILED, BODY, datetime(2026, 1, 1, tzinfo=UTC), NotificationState.PENDING
)


@attrs.define
class Server:
    """Answers each request with ``answer`` and keeps what it got."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    requests: list[tuple[dict[str, str], bytes]] = attrs.field(factory=list)
    port: int = 0
    silent: bool = False
    flood: bool = False
    flooded: int = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive_some()
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            while len(body) < int(headers["content-length"]):
                body += await stream.receive_some()
            self.requests.append((headers, body))
            if self.silent:
                await trio.sleep_forever()
            await stream.send_all(self.answer)
            try:
                while self.flood:
                    await stream.send_all(b"x" * 65_536)
                    self.flooded += 65_536
            except trio.BrokenResourceError:
                return

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=hidden"


@pytest.fixture
async def server(nursery):
    made = Server()
    listeners = await nursery.start(partial(trio.serve_tcp, made.serve, 0, host="127.0.0.1"))
    made.port = listeners[0].socket.getsockname()[1]
    return made


@asynccontextmanager
async def opened(now=None):
    async with sender(now or (lambda: datetime.now(UTC)))() as send:
        yield send


async def sent(server, target=None, one=ONE):
    async with opened() as send:
        return await send(one, target or NotificationTarget(url=server.url))


async def test_json_is_signed_as_the_reference_verifies_it(server, monkeypatch):
    monkeypatch.setenv("CHAT_SECRET", SECRET)
    outcome = await sent(server, NotificationTarget(url=server.url, secret_env="CHAT_SECRET"))
    assert outcome.failure is None
    ((headers, body),) = server.requests
    assert Webhook(SECRET).verify(body, headers) == BODY
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, headers)
    assert headers["webhook-id"] == ONE.message_id
    assert headers["content-type"] == "application/json"
    assert headers["x-correlation-id"] == BODY["data"]["correlation_id"]


PATH = "/services/T0B0C0/B0XYZ/averysecretpath123"


@pytest.mark.parametrize(
    "words", [f"<pre>Cannot POST {PATH}</pre>", "no hook averysecretpath123", f"http://127.0.0.1{PATH}?key=hidden: no"]
)
async def test_an_address_that_an_answer_repeats_is_masked_where_it_is_kept(server, words, caplog):
    """Also the line that httpx would write into the log of a program that has its own."""
    caplog.set_level(logging.DEBUG)
    server.answer = f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(words)}\r\n\r\n{words}".encode()
    outcome = await sent(server, NotificationTarget(url=f"http://127.0.0.1:{server.port}{PATH}?key=hidden"))
    assert outcome.failure.startswith("answered 404")
    assert "averysecret" not in mask_text(outcome.failure)
    assert "averysecret" not in "".join(record.getMessage() for record in caplog.records if record.name == "httpx")


async def test_a_date_in_retry_after_is_the_time_until_then(server):
    server.answer = (
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: Thu, 01 Jan 2026 00:02:00 GMT\r\nContent-Length: 0\r\n\r\n"
    )
    async with opened(lambda: datetime(2026, 1, 1, tzinfo=UTC)) as send:
        assert (await send(ONE, NotificationTarget(url=server.url))).retry_after == 120


async def test_a_secret_file_that_is_a_pipe_hangs_nobody(server, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outcome = await sent(server, NotificationTarget(url=server.url, secret_file=pipe))
    assert outcome.failure == "secret_file holds no secret"


async def test_while_secrets_change_both_sign(server, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n{OTHER}\n")
    await sent(server, NotificationTarget(url=server.url, secret_file=file))
    ((headers, body),) = server.requests
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(body, headers) == BODY


async def test_the_id_is_the_same_at_each_try_and_the_time_is_not(server):
    moments = iter([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)])
    async with opened(lambda: next(moments)) as send:
        for _ in range(2):
            await send(ONE, NotificationTarget(url=server.url))
    (first, _), (second, _) = server.requests
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert "webhook-signature" not in first


async def test_slack_and_text(server):
    await sent(server, NotificationTarget(url=server.url, format="slack"))
    await sent(server, NotificationTarget(url=server.url, format="text"))
    assert json.loads(server.requests[0][1]) == {
        "text": "train-&lt;1&gt; (j1) of ana failed, exit status 3: é &amp; co"
    }
    assert server.requests[1][1].decode() == "train-<1> (j1) of ana failed, exit status 3: é & co\n"


@pytest.mark.parametrize(
    ("status", "final", "disables"),
    [(200, None, None), (204, None, None), (302, False, False), (400, True, False), (404, True, False),
     (408, False, False), (410, True, True), (429, False, False), (500, False, False), (503, False, False)],
)  # fmt: skip
async def test_what_each_answer_means(server, status, final, disables):
    server.answer = f"HTTP/1.1 {status} Some\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 7\r\n".encode()
    server.answer += b"content-length: 4\r\n\r\nwhy?" if status != 204 else b"\r\n"
    outcome = await sent(server)
    if final is None:
        assert outcome.failure is None
        return
    assert f"answered {status}" in outcome.failure
    assert (outcome.final, outcome.disables, outcome.retry_after) == (final, disables, 7.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", ["content-length: 999999999999", "transfer-encoding: chunked", "x: y"])
@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_without_an_end_is_not_read(server, how, status):
    server.answer = f"HTTP/1.1 {status} Some\r\n{how}\r\n\r\n".encode()
    server.flood = True
    outcome = await sent(server)
    assert outcome.failure == (None if status == 200 else "answered 500")
    assert server.flooded < 64 << 20


async def test_an_answer_that_does_not_come_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(webhook, "SECONDS", 0.05)
    server.silent = True
    assert (await sent(server)).failure == "no answer within 0.05 s"


async def test_no_server_there(server):
    with silent_port() as port:
        target = NotificationTarget(url=f"http://127.0.0.1:{port}/hook?key=hidden")
        outcome = await sent(server, target)
    assert outcome.failure.startswith("cannot be reached")
    assert not outcome.final
    assert "hidden" not in outcome.failure


@pytest.mark.parametrize("content", ["", "whsec_", "not base64!", None])
async def test_without_a_good_secret_nothing_is_sent(server, tmp_path, content):
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    outcome = await sent(server, NotificationTarget(url=server.url, secret_file=file))
    assert "secret_file" in outcome.failure
    assert not outcome.final
    assert server.requests == []


async def test_the_client_waits_for_ten_seconds_and_follows_no_redirect():
    async with webhook.open_client() as client:
        assert client.timeout.read == 10.0
        assert not client.follow_redirects
