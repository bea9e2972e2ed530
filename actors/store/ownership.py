"""Who else may change what we are about to trust: directories and files, judged by owner and mode (D7)."""

from __future__ import annotations

import os
import stat


def is_ours(found: os.stat_result) -> bool:
    """Whether it belongs to this user, or to root, who may do anything anyway."""
    return found.st_uid in (os.geteuid(), 0)


def others_may_write(found: os.stat_result) -> bool:
    """Whether somebody beside the owner may write to it."""
    return bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def mode_of(found: os.stat_result) -> str:
    """The mode as chmod takes it: ``0755``."""
    return f"{stat.S_IMODE(found.st_mode):04o}"


def file_fault(found: os.stat_result) -> str | None:
    """Why a file that says which programs run is not safe; None where it is."""
    if not is_ours(found):
        return f"it belongs to the user with uid {found.st_uid}"
    if others_may_write(found):
        return f"others may write to it (mode {mode_of(found)})"
    return None


def secret_fault(found: os.stat_result) -> str | None:
    """Why a file that holds a secret is not used; None where it may be."""
    if found.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return f"others may read it (mode {mode_of(found)})"
    return file_fault(found)


def directory_refusal(found: os.stat_result) -> str | None:
    """Why nothing may be kept in a directory; None where something may.

    Whoever owns it, or may write to it without the sticky bit, can put a file of theirs in the place of ours.
    """
    if not is_ours(found):
        return f"it belongs to the user with uid {found.st_uid}; use one of your own"
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        return f"anybody may write to it (mode {mode_of(found)}); chmod 700 it, or use another"
    return None


def directory_looseness(found: os.stat_result) -> str | None:
    """What others may do with a private directory; None where they may nothing."""
    if not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    what = "write to it" if others_may_write(found) else "look into it"
    return f"others may {what} (mode {mode_of(found)})"


def may_be_tightened(found: os.stat_result) -> bool:
    """Whether a directory is ours alone to close: its group may write to it, and it is no shared place."""
    return found.st_uid == os.geteuid() and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) == stat.S_IWGRP
