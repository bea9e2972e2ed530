"""Removes a directory in which a job could leave anything. It follows no link, and a time limit ends each removal."""

from __future__ import annotations

import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from actors.providers.local.shim.files import is_there, open_own_folder, open_up

MOST_SECONDS = 5.0
"""The time limit of one removal. What is left then is removed by the next removal, or at the next start."""
_AT_ONCE = 1000


def remove_tree(
    parent: int, name: str, seconds: float = MOST_SECONDS, now: Callable[[], float] = time.monotonic
) -> bool:
    """Remove ``name`` in the directory ``parent`` with all that is below it. Returns False where something is left.

    What is deep is moved up to the top first, so that neither descriptors nor the stack limit the depth. A directory
    that its owner may not enter is opened up. Raises nothing: what cannot be removed stays.
    """
    deadline = now() + seconds
    try:
        top = _opened(parent, name)
    except FileNotFoundError:
        return True
    except OSError:  # a link, a file
        with suppress(OSError):
            os.unlink(name, dir_fd=parent)
        return not is_there(parent, name)
    try:
        while (left := _emptied(top, top, lambda: now() >= deadline)) is False:
            pass
    finally:
        os.close(top)
    if left is None:
        return False
    with suppress(OSError):
        os.rmdir(name, dir_fd=parent)
    return not is_there(parent, name)


def _emptied(folder: int, top: int, late: Callable[[], bool]) -> bool | None:
    """Remove what is in ``folder``, and move directories up to ``top``.

    Returns True where it is empty, False where it must be looked at again, and None where time is over or nothing more
    can be removed.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in islice(entries, _AT_ONCE)]
    done = 0
    for name in names:
        if late():
            return None
        done += _removed(folder, name, top, late)
    if not names:
        return True
    return False if done else None


def _removed(folder: int, name: str, top: int, late: Callable[[], bool]) -> bool:
    """Return whether ``name`` is gone from ``folder``, or has become emptier."""
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
            return True
        inner = _opened(folder, name)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if folder != top:
            os.rename(name, f"{secrets.token_hex(8)}.up", src_dir_fd=folder, dst_dir_fd=top)
            return True
        empty = _emptied(inner, top, late)
    except OSError:
        return False
    finally:
        os.close(inner)
    if empty:
        with suppress(OSError):
            os.rmdir(name, dir_fd=folder)
            return True
    return empty is False


def _opened(parent: int, name: str) -> int:
    fd = open_own_folder(name, parent)
    open_up(fd)
    return fd
