"""The place of the supervisor's Unix socket: in the state directory, or at the path in its file ``socket``."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

SOCKET = "greenroom.sock"
POINTER = "socket"
_LONGEST_POINTER = 4096
LONGEST = 100
"""The most bytes of a path: ``sun_path`` holds 108 on Linux and 104 elsewhere, its final NUL included."""


def socket_path(state_dir: Path, environ: Mapping[str, str] | None = None) -> Path:
    """The path to bind. A path of more than :data:`LONGEST` bytes is replaced by one under ``$XDG_RUNTIME_DIR``, or
    under the directory for temporary files if that one is too long as well.
    """
    path = state_dir.absolute() / SOCKET
    if len(os.fsencode(path)) <= LONGEST:
        return path
    import hashlib  # commands, which only ask where the socket is, do not wait for these two
    import tempfile

    environ = os.environ if environ is None else environ
    name = f"greenroom-{hashlib.sha256(os.fsencode(state_dir.absolute())).hexdigest()[:16]}.sock"
    own = Path(tempfile.gettempdir()) / f"greenroom-{os.getuid()}" / name
    path = Path(environ["XDG_RUNTIME_DIR"]) / name if environ.get("XDG_RUNTIME_DIR") else own
    return path if len(os.fsencode(path)) <= LONGEST else own


def announce(state_dir: Path, bound: Path) -> None:
    """Write the path of a socket outside the state directory into the file ``socket``, atomically."""
    pointer = state_dir / POINTER
    if bound.parent == state_dir.absolute():
        pointer.unlink(missing_ok=True)
        return
    temporary = state_dir / f".{POINTER}.tmp"
    temporary.write_text(f"{bound}\n")
    temporary.replace(pointer)


def announced(state_dir: Path) -> Path:
    """The path on which the supervisor of ``state_dir`` listens, if there is one."""
    usual = state_dir.absolute() / SOCKET
    try:
        descriptor = os.open(state_dir / POINTER, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return usual
    with open(descriptor, "rb") as pointer:  # noqa: PTH123 - a descriptor; of a pipe nothing is read
        found = pointer.read(_LONGEST_POINTER) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    path = os.fsdecode(found).strip()
    return Path(path) if path and "\0" not in path else usual
