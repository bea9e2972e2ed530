"""Records since when a folder of the local provider has contained the directories of all its jobs.

A state directory that was made new, by a restore for example, does not have the directories of the jobs that ran
before. A missing directory does not prove then that the job never ran.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_FILE = "begun"
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def note_beginning(root: Path, jobs: Path) -> None:
    """Record that this folder begins now, unless it has a folder of ``jobs`` already. Raises ``OSError``."""
    if jobs.exists():
        return
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        descriptor = os.open(root / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{time.time():.6f}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def beginning(root: Path) -> datetime | None:
    """Return when this folder began, or None where that cannot be read.

    The result is the earliest time there is where an earlier version made the folder.
    """
    try:
        with (root / _FILE).open("rb") as file:
            return datetime.fromtimestamp(float(file.read(64)), UTC)
    except FileNotFoundError:
        return _ALWAYS
    except (OSError, ValueError, OverflowError):
        return None
