"""Identifies this machine, so that a restore knows whether a path means the same place as it did for the backup."""

from __future__ import annotations

import hashlib
from pathlib import Path

_FILE = Path("/etc/machine-id")
"""https://www.freedesktop.org/software/systemd/man/latest/machine-id.html asks that only a hash of it be passed on."""


def machine() -> str | None:
    """Return a name of this machine that is the same after each start, or None where the machine has none."""
    try:
        content = _FILE.read_bytes()[:64].strip()
    except OSError:
        return None
    return hashlib.sha256(b"greenroom backup " + content).hexdigest()[:32] if content else None
