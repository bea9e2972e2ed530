"""HTTP on TCP, with a token or a session: for browsers, other programs and other machines."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import trio

from actors.access.secret import PREFIX, fresh
from actors.access.sessions import Access
from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.server import HttpServer
from actors.api.unix_peer import user_name
from actors.control.runtime import Runtime
from actors.net.connections import BACKLOG, closed_at_the_end
from actors.net.streams import tls_context
from actors.providers.private_files import new_file
from logconf import get_logger
from supervision import ChildSpec

TOKEN = "token"  # noqa: S105 - the name of a file
"""The file in the state directory with the first token, an admin's, which only its owner can read."""
_logger = get_logger("actors.api.tcp")


def http_server(
    runtime: Runtime, state_dir: Path, options: HttpOptions, *, feed_port: int | None = None
) -> ChildSpec:  # fmt: skip
    """The child that serves ``runtime`` on TCP, for ``Parts.servers``.

    If the port is taken, or a certificate cannot be read, there is a WARNING and the child is finished: it can be
    started by hand, and another supervisor on this machine is no reason for this one to fail.
    """
    return ChildSpec("http", partial(_serve, runtime, state_dir, options, feed_port), restart="transient")


async def _serve(  # noqa: ASYNC128 - HttpServer.serve calls started()
    runtime: Runtime,
    state_dir: Path,
    options: HttpOptions,
    feed_port: int | None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    app = create_app(runtime, options, feed_port=feed_port)
    what = "cannot read the certificate or its key"
    try:
        tls = tls_context(options.tls_certificate, options.tls_key)
        what = f"cannot listen on {options.host}:{options.port}"
        listeners = await trio.open_tcp_listeners(options.port, host=options.host, backlog=BACKLOG)
    except OSError as error:
        extra = {"host": options.host, "port": options.port}
        why = f"HTTP is not served: {what}: {error.strerror or error}. Change it in section http and start again"
        _logger.warning("%s", why, extra=extra)
        runtime.access.not_served = why
        task_status.started()
        return
    access = runtime.access
    with closed_at_the_end(listeners) as sockets, ExitStack() as stack:
        await _make_first_token(access, state_dir / TOKEN)
        access.not_served = None
        access.address = address(options, sockets[0].getsockname()[1])
        stack.callback(setattr, access, "address", None)
        _logger.info("HTTP is served at %s", access.address)
        per_address = None if options.behind_proxy else options.max_per_address
        most, faults = options.max_connections, runtime.client_faults
        http = HttpServer(app, faults, "http", most=most, per_address=per_address, tls=tls)
        await http.serve(sockets, task_status=task_status)


async def _make_first_token(access: Access, path: Path) -> None:
    """At the first start, make an admin's token for the supervisor's user, in a file that only this user can read."""
    if not await access.none_yet():
        return
    secret = PREFIX + fresh()
    write_private(path, secret + "\n")
    user = user_name(os.getuid())
    await access.create_token(user_id=user, level="admin", name="first start", by="first start", secret=secret)
    _logger.info("The first token is in %s", path)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, completely or not at all. Raises ``OSError``."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    with new_file(temporary) as file:
        file.write(text.encode())
    temporary.replace(path)


def address(options: HttpOptions, port: int) -> str:
    """The URL at which a browser finds this server."""
    if options.behind_proxy and options.allowed_hosts:
        return f"https://{options.allowed_hosts[0]}/"
    anywhere = options.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = (options.allowed_hosts or ("localhost",))[0] if anywhere else options.host
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{'https' if options.is_encrypted else 'http'}://{host}:{port}/"
