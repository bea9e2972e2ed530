"""HTTP on Unix sockets, where the kernel identifies the caller: for the supervisor's own user, and for others (F2)."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from actors.access.users import SocketUsers
from actors.api.app import create_app
from actors.api.options import HttpOptions
from actors.api.server import HttpServer
from actors.api.shared_directory import SharedDirectory, SharedDirectoryError, give_to_group
from actors.api.socket_file import announce, socket_path
from actors.control.runtime import Runtime
from actors.net.connections import BACKLOG
from logconf import get_logger
from supervision import ChildSpec

LOOK_SECONDS = 30.0
"""Seconds between two checks whether the shared socket is still at its path."""
_logger = get_logger("actors.api.unix")


def socket_server(runtime: Runtime, state_dir: Path, options: HttpOptions | None = None) -> ChildSpec:
    """The child that serves ``runtime`` on the socket of ``state_dir``, for ``Parts.servers``."""
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
    path = socket_path(state_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(path.parent))
    with bound(path, 0o600) as listener:
        announce(state_dir, path)
        await http.serve([listener], task_status=task_status)


def shared_socket_server(
    runtime: Runtime, directory: SharedDirectory, users: SocketUsers, options: HttpOptions
) -> ChildSpec:
    """The child that serves ``runtime`` to ``users``, for ``Parts.servers``."""
    return ChildSpec("shared_socket", partial(_serve_shared, runtime, directory, users, options))


async def _serve_shared(  # noqa: ASYNC128 - HttpServer.serve calls started()
    runtime: Runtime,
    directory: SharedDirectory,
    users: SocketUsers,
    options: HttpOptions,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    app = create_app(runtime, options, users=users)
    most, per_user = options.max_connections, options.max_per_address
    http = HttpServer(app, runtime.client_faults, "shared_socket", most=most, per_address=per_user, shared=True)
    give = partial(give_to_group, gid=directory.gid, group=directory.group)
    with directory.held(), bound(directory.socket, 0o660, give) as listener:
        _logger.info("Members of group %s are served at %s", directory.group, directory.socket)
        if users.commands:
            _logger.warning("Members of group %s may submit commands, which run as this user", directory.group)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fail_when_gone, directory.socket, _identity(directory.socket))
            await http.serve([listener], task_status=task_status)


async def _fail_when_gone(path: Path, ours: tuple[int, int] | None) -> None:
    """Raise an error once our socket is no longer at its path: nobody can connect then, and a restart creates it
    anew.
    """
    while True:
        await trio.sleep(LOOK_SECONDS)
        if _identity(path) != ours:
            raise SharedDirectoryError(f"{path} was removed or replaced; it is made anew")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def bound(path: Path, mode: int, give: Callable[[Path], None] = lambda _path: None) -> Iterator[trio.socket.SocketType]:
    """A listening socket at ``path``. The caller holds the lock, so an existing file there is stale and is replaced.

    ``give``: called with its path before anybody can connect.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "is not a socket", str(path))
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as own:
        own.bind(str(path))
        ours = _identity(path)
        try:
            give(path)
            path.chmod(mode)  # before listen(): nobody can connect yet
            own.listen(BACKLOG)
            with trio.socket.from_stdlib_socket(own.dup()) as listener:
                yield listener
        finally:
            if _identity(path) == ours:
                path.unlink(missing_ok=True)
