"""Writes the file of a backup so that it is either complete or not there, even if this process is killed.

Everything is written first into a folder of its own beside the file. The folder is locked for as long as its process
lives. A folder that nobody locks was left by a process that was killed, and the next backup there removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from actors.backup.errors import BackupError
from actors.providers.private_files import sync

_PREFIX = ".greenroom-backup-"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFLNK: "a link", stat.S_IFSOCK: "a socket"}


def check_target(file: Path, *, force: bool) -> None:
    """Raise :class:`BackupError` where no backup may be written to ``file``."""
    try:
        found = file.lstat()
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise BackupError(f"cannot write {file}: there is no directory {file.parent}") from None
        return
    except (OSError, ValueError) as error:
        raise BackupError(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "a device")
        raise BackupError(f"{file} is {kind}, and a backup is a regular file: give another name")
    if not force:
        raise BackupError(f"{file} exists already; give another name, or --force to replace it")


@contextmanager
def working_folder(file: Path) -> Iterator[Path]:
    """Make a private folder beside ``file``, and remove it when the block ends. Raises ``OSError``."""
    _remove_left(file.parent)
    folder, descriptor = _locked_folder(file.parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """Make a folder, and lock it. Another backup may remove it before it is locked: then another one is made."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with suppress(OSError):  # a file system without locks: then nothing is removed that was left
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(folder):
            return folder, descriptor
        os.close(descriptor)


def _remove_left(parent: Path) -> None:
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


def place(made: Path, file: Path, *, force: bool) -> None:
    """Move the complete file at ``made`` to the name ``file``, in one step.

    Raises :class:`BackupError` and ``OSError``.
    """
    check_target(file, force=force)  # it took a while to write
    if force:
        made.replace(file)
    else:
        try:
            os.link(made, file)
        except FileExistsError:
            raise BackupError(f"{file} was made by somebody else meanwhile; give another name") from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            made.rename(file)
    sync(file.parent)
