"""The disk usage of a directory in which a job may have written anything: no link is followed, and the time is
bounded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

MOST_SECONDS = 2.0
_MOST_ENTRIES = 200_000
_BLOCK = 512


def bytes_below(folder: Path, seconds: float = MOST_SECONDS, now: Callable[[], float] = time.monotonic) -> int | None:
    """Bytes on disk of ``folder`` and everything below it; None: there was too much to count in time.

    What cannot be read is left out. Raises nothing.
    """
    end, seen, total = now() + seconds, 0, 0
    folders = [] if folder.is_symlink() else [os.fspath(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    seen += 1
                    if seen > _MOST_ENTRIES or now() >= end:
                        return None
                    total += _size(entry)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except OSError:
            continue
    return total


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    except OSError:
        return 0
