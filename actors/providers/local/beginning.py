"""Records since when a folder of the local provider has contained the directories of all its jobs.

A state directory that was made new, by a restore for example, does not have the directories of the jobs that ran
before. A missing directory does not prove then that the job never ran.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from actors.providers.private_files import new_file

_FILE = "begun"
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def note_beginning(root: Path, jobs: Path) -> None:
    """Record that this folder begins now, unless it has a folder of ``jobs`` already. Raises ``OSError``."""
    if jobs.exists():
        return
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError), new_file(root / _FILE) as file:
        file.write(f"{time.time():.6f}\n".encode())


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
