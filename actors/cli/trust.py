"""Which supervisor is trusted: this user's, root's, or that of the only user who may write to its directory (D7).

A request may carry the submitter's environment. So the server's user is checked before anything is sent, on the
connection that carries the request.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import httpcore
import httpx

from actors.api.socket_file import POINTER, announced
from actors.api.unix_peer import peer_uid, user_name
from actors.cli.context import Failed
from actors.store.ownership import is_ours, others_may_write


def socket_of(state_dir: Path) -> Path:
    """Where the supervisor of ``state_dir`` listens. Raises :class:`Failed` where somebody else may have said so."""
    pointer = state_dir / POINTER
    try:
        found, directory = pointer.lstat(), state_dir.stat()
    except OSError:
        return announced(state_dir)
    alone = found.st_uid == directory.st_uid and not others_may_write(directory)
    if not (is_ours(found) or alone):
        raise Failed(f"{pointer} is {user_name(found.st_uid)}'s, who may not say where the supervisor listens")
    return announced(state_dir)


def check_server(uid: int, path: Path) -> None:
    """Raises :class:`Failed` where the server on the socket at ``path``, which is ``uid``, is not to be trusted."""
    if uid in (os.geteuid(), 0):
        return
    directory = path.parent.stat()
    if uid == directory.st_uid and not others_may_write(directory):
        return
    raise Failed(
        f"nothing was sent: who listens on {path} is {user_name(uid)}, not you nor root, and not the only one who may "
        f"write to {path.parent}"
    )


class _TrustedSockets(httpcore.SyncBackend):
    """Connects to Unix sockets whose server is to be trusted."""

    def connect_unix_socket(self, path: str, *args: object, **more: object) -> httpcore.NetworkStream:
        stream = super().connect_unix_socket(path, *args, **more)  # type: ignore[arg-type]
        connection = stream.get_extra_info("socket")
        assert isinstance(connection, socket.socket)
        try:
            check_server(peer_uid(connection, Path(path)), Path(path))
        except (Failed, OSError):
            stream.close()
            raise
        return stream


def transport_to(path: Path) -> httpx.HTTPTransport:
    """A transport to the socket at ``path``. Private name relied on: the ``_pool`` of httpx 0.28."""
    transport = httpx.HTTPTransport()
    transport._pool = httpcore.ConnectionPool(uds=str(path), network_backend=_TrustedSockets())
    return transport
