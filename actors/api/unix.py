"""HTTP on the supervisor's Unix socket: for the command line, which the kernel vouches for."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.server import HttpServer
from actors.api.socket_file import announce, socket_path
from actors.control.runtime import Runtime
from actors.net.connections import BACKLOG
from supervision import ChildSpec


def socket_edge(runtime: Runtime, state_dir: Path, options: HttpOptions | None = None) -> ChildSpec:
    """The child that serves ``runtime`` on the socket of ``state_dir``, for ``Parts.edges``."""
    return ChildSpec("socket", partial(serve_socket, runtime, state_dir, options))


async def serve_socket(  # noqa: ASYNC128 - HttpServer.serve calls started()
    runtime: Runtime,
    state_dir: Path,
    options: HttpOptions | None = None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``runtime`` on the Unix socket of its state directory, whose lock the caller holds, until cancelled."""
    http = HttpServer(create_app(runtime, options), runtime.client_faults, "socket")
    with bound(state_dir) as listener:
        await http.serve([listener], task_status=task_status)


@contextmanager
def bound(state_dir: Path) -> Iterator[trio.socket.SocketType]:
    """The listening socket of a state directory, private to its user; whatever lay at its path is stale by the lock."""
    path = socket_path(state_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(path.parent))
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "is no socket", str(path))
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        own.bind(str(path))
        try:
            path.chmod(0o600)  # before listen(): nobody can connect yet
            own.listen(BACKLOG)
            announce(state_dir, path)
            with trio.socket.from_stdlib_socket(own.dup()) as listener:
                yield listener
        finally:
            path.unlink(missing_ok=True)
