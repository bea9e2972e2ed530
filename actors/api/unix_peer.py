"""The user at the other end of a Unix socket, as the kernel reports it."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trio

    from actors.access.peer import Peer

_UCRED = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


def peer_of_socket(connection: trio.socket.SocketType) -> Peer:
    """The peer's user id and name, and whether it is the user as whom this process runs."""
    from actors.access.peer import Peer  # the command line uses the rest of this file, and waits for each import

    uid = uid_of_socket(connection)
    return Peer(uid, user_name(uid), via="socket" if uid == os.geteuid() else "socket_other")


def unnamed_peer_of_socket(connection: trio.socket.SocketType) -> Peer:
    """Like :func:`peer_of_socket`, but another user has no name yet, and may do nothing (SocketUsers finds the
    name).
    """
    from actors.access.peer import Peer

    uid = uid_of_socket(connection)
    return peer_of_socket(connection) if uid == os.geteuid() else Peer(uid, "", "viewer", via="socket_other")


def uid_of_socket(connection: trio.socket.SocketType) -> int:
    """The peer's user id. On systems without SO_PEERCRED it is the socket's owner, because of the socket's mode."""
    uid = _peer_uid(connection)
    return os.geteuid() if uid is None else uid


def peer_uid(connection: socket.socket, path: Path) -> int:
    """The user who serves the Unix socket at ``path`` to which ``connection`` leads: the one who called ``listen()`` on
    it.

    On systems without SO_PEERCRED it is the file's owner. Raises ``OSError``.
    """
    uid = _peer_uid(connection)
    return path.stat().st_uid if uid is None else uid


def _peer_uid(connection: socket.socket | trio.socket.SocketType) -> int | None:
    if (option := getattr(socket, "SO_PEERCRED", None)) is None:
        return None
    _pid, uid, _gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    return int(uid)


def user_name(uid: int) -> str:
    """The name of a user, or its number where the system knows none (as in some containers)."""
    return known_name(uid) or f"uid-{uid}"


def known_name(uid: int) -> str | None:
    """The name of a user; None if the system knows none. May block if the table of users is on another machine."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
