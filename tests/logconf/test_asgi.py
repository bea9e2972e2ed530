"""The middleware: the ID comes in, holds while the request is served, and goes back, with errors too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
import trio

from logconf import get_correlation_id, get_logger
from logconf.asgi import App, CorrelationMiddleware
from logconf.context import current_correlation_id
from logconf.testing import capture_logs

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
logger = get_logger("tests.asgi")


async def serve(app: App, headers: list[tuple[bytes, bytes]], kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    try:
        await CorrelationMiddleware(app)({"type": kind, "headers": headers}, receive, send)
    except ValueError as error:
        sent.append({"type": "raised", "error": error})
    return sent


async def answering(scope: Any, receive: Any, send: Send) -> None:
    logger.info("serving")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-correlation-id", b"the app's own")]})
    await send({"type": "http.response.body", "body": b""})


def sent_id(message: Message) -> str:
    (value,) = [value for name, value in message["headers"] if name == b"x-correlation-id"]
    return str(value.decode())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"X-Correlation-Id", b"abc123")], "abc123"),
        ([(b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())], TRACE),
    ],
)
async def test_the_id_is_bound_and_sent_back(headers: list[tuple[bytes, bytes]], expected: str) -> None:
    with capture_logs() as lines:
        sent = await serve(answering, headers)
    assert sent_id(sent[0]) == expected == lines[0]["correlation_id"]
    assert current_correlation_id() is None


async def test_a_bad_id_is_replaced_and_never_sent_back() -> None:
    sent = await serve(answering, [(b"x-correlation-id", b"a\r\nSet-Cookie: x")])
    assert len(sent_id(sent[0])) == 32


async def test_an_application_that_raises_is_answered_for_with_the_id() -> None:
    async def failing(scope: Any, receive: Any, send: Send) -> None:
        raise ValueError("no")

    sent = await serve(failing, [(b"x-correlation-id", b"abc")])
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body", "raised"]
    assert (sent[0]["status"], sent_id(sent[0])) == (500, "abc")


async def test_an_answer_that_began_is_not_begun_again() -> None:
    async def failing(scope: Any, receive: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise ValueError("no")

    sent = await serve(failing, [(b"x-correlation-id", b"abc")])
    assert [message["type"] for message in sent] == ["http.response.start", "raised"]
    assert sent_id(sent[0]) == "abc"


async def test_websockets_get_it_when_they_are_accepted() -> None:
    async def accepting(scope: Any, receive: Any, send: Send) -> None:
        assert get_correlation_id() == "abc"
        await send({"type": "websocket.accept"})

    (accepted,) = await serve(accepting, [(b"x-correlation-id", b"abc")], "websocket")
    assert sent_id(accepted) == "abc"


async def test_lifespan_passes_untouched() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Send) -> None:
        seen.append((scope, receive, send))

    async def nothing() -> Message:
        return {}

    async def nobody(message: Message) -> None:
        pass

    scope: dict[str, Any] = {"type": "lifespan"}
    await CorrelationMiddleware(app)(scope, nothing, nobody)
    assert seen == [({"type": "lifespan"}, nothing, nobody)]


async def test_requests_at_the_same_time_keep_their_own() -> None:
    gate = trio.Event()

    async def waiting(scope: Any, receive: Any, send: Send) -> None:
        await gate.wait()
        await answering(scope, receive, send)

    answers: dict[str, str] = {}

    async def request(name: str) -> None:
        sent = await serve(waiting, [(b"x-correlation-id", name.encode())])
        answers[name] = sent_id(sent[0])

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(request, f"id-{number}")
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
    assert answers == {f"id-{number}": f"id-{number}" for number in range(5)}


async def test_the_error_of_the_application_reaches_the_server_where_the_client_has_left() -> None:
    async def failing(scope: Any, receive: Any, send: Send) -> None:
        raise ValueError("the application's own")

    async def send(message: Message) -> None:
        raise trio.BrokenResourceError("the client has left")

    async def receive() -> Message:
        return {}

    with pytest.raises(ValueError, match="own"):
        await CorrelationMiddleware(failing)({"type": "http", "headers": []}, receive, send)
