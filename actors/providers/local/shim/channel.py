"""Receiving descriptors over a Unix socket."""

from __future__ import annotations

import array
import socket


def receive(channel: socket.socket, size: int, most: int) -> tuple[bytes, list[int], bool]:
    """The next message, of ``size`` bytes at most, its descriptors, and whether some of them are missing.

    ``most``: descriptors to take. No program inherits them (:func:`socket.recv_fds` forgets that flag). Raises OSError.
    """
    fds = array.array("i")
    data, controls, flags, _ = channel.recvmsg(
        size, socket.CMSG_LEN(most * fds.itemsize), getattr(socket, "MSG_CMSG_CLOEXEC", 0)
    )
    for level, kind, content in controls:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return data, list(fds), bool(flags & socket.MSG_CTRUNC)
