"""Serves the fake on a loopback port, for clients that are other programs.

It uses h11 directly instead of a framework, because half of its purpose is to treat a connection badly, and a server
library does not give its connections away.

A test in another process controls the fake under addresses of its own: ``POST /_fake/faults`` takes a list of objects
with the fields of :class:`~actors.testing.fake_replicate.Fault`, ``DELETE /_fake/faults`` removes all faults, ``GET
/_fake/requests`` lists the received requests, and ``GET /_fake/jobs`` every job. These need no token: the fake listens
on loopback, and has nothing that is secret.
"""

from __future__ import annotations

from functools import partial

import attrs
import h11
import orjson
import trio

from actors.testing.fake_replicate.fake import FakeReplicate
from actors.testing.fake_replicate.faults import Fault, FaultKind
from actors.testing.fake_replicate.wire import PIECE, Asked, Reply, json_reply, problem
from actors.validation import INPUT, CheckedError

_PREFIX = "/_fake/"
_MOST_BODY = 16 * 1024 * 1024


async def serve(
    fake: FakeReplicate, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on 127.0.0.1 until cancelled. ``started`` gives the port, which the system chooses for 0.

    Raises :class:`OSError` if the port is taken.
    """
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(partial(_connection, fake), listeners)


async def _connection(fake: FakeReplicate, stream: trio.SocketStream) -> None:
    """Answer one client's requests, one after the other. A client that goes away ends this."""
    connection = h11.Connection(h11.SERVER)
    try:
        while (asked := await _next_request(connection, stream)) is not None:
            reply = _controlled(fake, asked) if asked.path.startswith(_PREFIX) else fake.handle(asked)
            if not await _send(connection, stream, reply):
                break
            connection.start_next_cycle()
    except (trio.BrokenResourceError, h11.ProtocolError):
        pass  # it went away, sends no HTTP, or sends no second request
    finally:
        await trio.aclose_forcefully(stream)


async def _next_request(connection: h11.Connection, stream: trio.SocketStream) -> Asked | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(PIECE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MOST_BODY:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            return Asked(head.method.decode(), head.target.decode("latin-1"), headers, bytes(body))
        else:
            return None


async def _send(connection: h11.Connection, stream: trio.SocketStream, reply: Reply) -> bool:
    """Send an answer, and return whether the connection can take another request."""
    if reply.fault is FaultKind.HANG:
        while await stream.receive_some(PIECE):  # until the client goes away
            pass
    if reply.fault in (FaultKind.HANG, FaultKind.LOST_ANSWER, FaultKind.REFUSED):
        return False
    headers = [*reply.headers.items(), ("content-length", str(reply.length))]
    await _write(connection, stream, h11.Response(status_code=reply.status, headers=headers))
    for piece in reply.pieces():
        if reply.fault is FaultKind.DRIP:
            await trio.sleep(reply.seconds)
        await _write(connection, stream, h11.Data(piece))
    if reply.fault is FaultKind.CUT_BODY:
        return False
    await _write(connection, stream, h11.EndOfMessage())
    return True


async def _write(connection: h11.Connection, stream: trio.SocketStream, event: h11.Event) -> None:
    data = connection.send(event)
    if data:
        await stream.send_all(data)


def _controlled(fake: FakeReplicate, asked: Asked) -> Reply:
    """Return the answer to a request of a test. It is not recorded."""
    match asked.method, asked.path.removeprefix(_PREFIX):
        case "POST", "faults":
            return _inject(fake, asked.body)
        case "DELETE", "faults":
            fake.faults.clear()
            return json_reply(200, {})
        case "GET", "requests":
            return json_reply(200, [attrs.asdict(one) | {"body": one.body.decode()} for one in fake.requests])
        case "GET", "jobs":
            return json_reply(
                200, [fake.document(job) for kind in ("prediction", "training") for job in fake.jobs(kind)]
            )
        case _:
            return problem(404, "There is nothing to control here")


def _inject(fake: FakeReplicate, body: bytes) -> Reply:
    try:
        faults = INPUT.read(orjson.loads(body), list[Fault])
    except (orjson.JSONDecodeError, CheckedError) as fault:
        return problem(422, f"no list of faults: {fault}")
    fake.inject(*faults)
    return json_reply(200, {"faults": len(faults)})
