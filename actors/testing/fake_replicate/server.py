"""The fake on a loopback port, for clients that are other programs.

On h11 directly, not on a framework: half of what it is for is to treat a connection badly, and a server library
does not let go of its connections.
"""

from __future__ import annotations

from functools import partial

import h11
import trio

from actors.testing.fake_replicate.fake import FakeReplicate
from actors.testing.fake_replicate.steering import PREFIX, steered
from actors.testing.fake_replicate.transport import huge
from actors.testing.fake_replicate.wire import Asked, Manner, Reply

_MOST_BODY = 16 * 1024 * 1024
_PIECE = 64 * 1024


async def serve(
    fake: FakeReplicate, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on 127.0.0.1 until cancelled; ``started`` gives the port, chosen by the system for 0.

    Raises :class:`OSError` where the port is taken.
    """
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(partial(_connection, fake), listeners)


async def _connection(fake: FakeReplicate, stream: trio.SocketStream) -> None:
    """One client's requests, one after the other; a client that goes away ends it."""
    connection = h11.Connection(h11.SERVER)
    try:
        while (asked := await _next_request(connection, stream)) is not None:
            reply = steered(fake, asked) if asked.path.startswith(PREFIX) else fake.handle(asked)
            if not await _send(connection, stream, reply):
                break
            connection.start_next_cycle()
    except (trio.BrokenResourceError, h11.ProtocolError):
        pass  # it went away, or speaks no HTTP, or wants no second request
    finally:
        await trio.aclose_forcefully(stream)


async def _next_request(connection: h11.Connection, stream: trio.SocketStream) -> Asked | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(_PIECE))
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
    """Whether the connection is good for another request."""
    if reply.manner is Manner.HANG:
        await _until_gone(stream)
    if reply.manner in (Manner.HANG, Manner.LOST, Manner.REFUSED):
        return False
    headers = [*reply.headers.items(), ("content-length", str(reply.length))]
    await _write(connection, stream, h11.Response(status_code=reply.status, headers=headers))
    match reply.manner:
        case Manner.CUT:
            await _write(connection, stream, h11.Data(reply.body[: len(reply.body) // 2]))
            return False
        case Manner.DRIP:
            for byte in reply.body:
                await trio.sleep(reply.seconds)
                await _write(connection, stream, h11.Data(bytes([byte])))
        case Manner.HUGE:
            for piece in huge(reply.size):
                await _write(connection, stream, h11.Data(piece))
        case _:
            await _write(connection, stream, h11.Data(reply.body))
    await _write(connection, stream, h11.EndOfMessage())
    return True


async def _write(connection: h11.Connection, stream: trio.SocketStream, event: h11.Event) -> None:
    data = connection.send(event)
    if data:
        await stream.send_all(data)


async def _until_gone(stream: trio.SocketStream) -> None:
    while await stream.receive_some(_PIECE):
        pass
