"""The state directory: private to its owner, and held by one supervisor at a time (C3)."""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from actors.jobs.os_text import is_utf8, shown
from actors.store.ownership import directory_looseness, directory_refusal, may_be_tightened, mode_of
from logconf import get_logger

DATABASE = "greenroom.db"
LOCK = "supervisor.lock"
LOG = Path("log") / "greenroom.jsonl"

_logger = get_logger("actors.store.state_directory")
_LOOKS, _PAUSE = 20, 0.05
"""How often, and how many seconds apart, a lock is asked for again whose holder is dead."""


class StateDirectoryError(Exception):
    """The state directory cannot be used; the message says why and what to do."""


class AlreadyRunning(StateDirectoryError):
    """Another supervisor holds this state directory."""


def check(path: Path) -> None:
    """Raises :class:`StateDirectoryError` if others could change files in ``path``, and ``OSError``."""
    if (why := directory_refusal(path.stat())) is not None:
        raise StateDirectoryError(f"cannot use the state directory {path}: {why} (GREENROOM_HOME names it)")


def secure(path: Path) -> None:
    """:func:`check`, then close our directory to its group; other access that remains is a WARNING (D7)."""
    check(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if may_be_tightened(found):
            os.fchmod(descriptor, 0o700)
            message = "The state directory was open to its group (mode %s) and is closed now (0700)"
            _logger.info(message, mode_of(found), extra={"state_dir": str(path)})
        elif (loose := directory_looseness(found)) is not None:
            message = "The state directory should be private, but %s: chmod 700 it"
            _logger.warning(message, loose, extra={"state_dir": str(path)})
    finally:
        os.close(descriptor)


class StateDirectory:
    """A ``with`` block that holds the directory's lock while it is entered.

    The lock is the kernel's (``flock``), so it ends with the process, however that ends; the file's content only says
    who holds it. Raises :class:`AlreadyRunning`, which names the holder, and :class:`StateDirectoryError` if the
    directory cannot be created or written, or if others may put files into it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def database(self) -> Path:
        """Where the rows are."""
        return self.path / DATABASE

    def __enter__(self) -> StateDirectory:
        if not is_utf8(str(self.path)):  # it stands in handles, addresses and answers, which are JSON
            raise StateDirectoryError(
                f"the path of the state directory, {shown(str(self.path))}, is not UTF-8; set GREENROOM_HOME to another"
            )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            secure(self.path)
            self._descriptor = hold(self.path)
        except OSError as error:
            raise StateDirectoryError(f"cannot use the state directory {self.path}: {error.strerror}") from error
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            release(self._descriptor)
            self._descriptor = None


def hold(directory: Path) -> int:
    """Take the lock of ``directory``: a descriptor whose end gives it back.

    Raises :class:`AlreadyRunning` naming the holder, :class:`StateDirectoryError` where it cannot be written, and
    ``OSError`` where it cannot be opened.
    """
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        _sign(descriptor)
    except BlockingIOError:
        held_by = _described(os.pread(descriptor, 4096, 0))
        os.close(descriptor)
        raise AlreadyRunning(f"{directory} is held by {held_by}") from None
    except OSError as error:
        os.close(descriptor)
        raise StateDirectoryError(f"cannot write to {directory}: {error.strerror}") from error
    return descriptor


def _sign(descriptor: int) -> None:
    """Say who holds it; written and synced, so that a full disk is noticed here and not later."""
    signature = json.dumps({"pid": os.getpid(), "started_at": datetime.now(UTC).isoformat(timespec="seconds")})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, signature.encode(), 0)
    os.fsync(descriptor)


def release(descriptor: int) -> None:
    """Give the lock of :func:`hold` back, also where a process that this one has forked has the descriptor, too."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Take the lock. Raises BlockingIOError where another supervisor has it.

    One that was killed while it started a job leaves the lock, for a moment, to the child that has not yet become
    the job's program.
    """
    for _ in range(_LOOKS):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not _is_dead(os.pread(descriptor, 4096, 0)):
                raise
        time.sleep(_PAUSE)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_dead(signature: bytes) -> bool:
    """Whether the process that signed is surely gone."""
    try:
        os.kill(int(json.loads(signature)["pid"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OverflowError, PermissionError):
        return False
    return False


def holder(path: Path) -> str | None:
    """Who holds the directory, in words; None when nobody does."""
    try:
        descriptor = os.open(path / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _described(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return None


def _described(signature: bytes) -> str:
    try:
        who = json.loads(signature)
        return f"the supervisor with pid {who['pid']}, started {who['started_at']}"
    except (ValueError, KeyError, TypeError):
        return "another supervisor"
