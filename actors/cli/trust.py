"""Which server on a Unix socket is trusted (D7).

It must run as this user, as root, or as the only user who may write to the socket's directory. A request may contain
the submitter's environment, so the server's user is checked before anything is sent, on the connection of the request.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

from actors.api.socket_file import POINTER, announced
from actors.api.unix_peer import peer_uid, user_name
from actors.cli.context import Failed
from actors.store.ownership import is_ours, others_may_write

_PATIENCE = struct.pack("ll", 5, 0)
"""Seconds and microseconds to wait while too many others connect: a timeout of Python's would not wait at all."""


def socket_of(state_dir: Path) -> Path:
    """Where the supervisor of ``state_dir`` listens. Raises :class:`Failed` if another user may have written that."""
    pointer = state_dir / POINTER
    try:
        found, directory = pointer.lstat(), state_dir.stat()
    except OSError:
        return announced(state_dir)
    alone = found.st_uid == directory.st_uid and not others_may_write(directory)
    if not (is_ours(found) or alone):
        owner = user_name(found.st_uid)
        raise Failed(f"{pointer} belongs to {owner}, who is not allowed to name the supervisor's socket")
    return announced(state_dir)


def check_server(uid: int, path: Path) -> None:
    """Raises :class:`Failed` if the server on the socket at ``path``, which runs as ``uid``, is not trusted."""
    if uid in (os.geteuid(), 0):
        return
    directory = path.parent.stat()
    if uid == directory.st_uid and not others_may_write(directory):
        return
    raise Failed(
        f"nothing was sent: the server on {path} runs as {user_name(uid)}; it must run as you, as root, or as the only "
        f"user who may write to {path.parent}"
    )


def connect(path: Path) -> socket.socket:
    """A connection to the Unix socket at ``path``, whose server is trusted. Raises :class:`Failed` and ``OSError``."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
        connection.connect(str(path))
        check_server(peer_uid(connection, path), path)
    except (Failed, OSError):
        connection.close()
        raise
    return connection
