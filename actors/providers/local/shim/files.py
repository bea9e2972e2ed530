"""Opens, reads and writes the files that a job can change. The shim and its supervisor use no other way.

A job may put anything under any name in its directory: a pipe that blocks whoever opens it, a link to another user's
file, a file of terabytes. So every open here is relative to a descriptor of the directory, follows no link and never
waits, and the opened file is checked before it is used. This module has few imports, because each job's shim pays for
them.
"""

# ruff: noqa: PTH101, PTH119, PTH120, SIM105 - pathlib and contextlib would cost each shim 8 ms and 1 MB

from __future__ import annotations

import errno
import os
import stat

MOST_RECORD = 64 * 1024
"""Bytes of ``run.json`` or ``exit.json``, at the most."""
MOST_SPEC = 16 * 1024 * 1024
"""Bytes of ``spec.json``, at the most: more than the kernel takes as arguments and environment."""

_SAFE = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_FILE = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV)
"""The error of opening a link, a directory, a socket or a device, beside those of its path."""
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


class NotPlain(OSError):
    """Something other than a plain file of limited size, or a plain directory, stands where one was expected."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(errno.EINVAL, f"{name} is {what}")
        self.what = what

    def __str__(self) -> str:
        return str(self.strerror)


def open_folder(path: str | bytes | os.PathLike[str], at: int | None = None) -> int:
    """Return a descriptor of a directory. Raises :class:`NotPlain` for a link or anything else, and other OSErrors."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotPlain(os.fsdecode(path), "not a directory") from None
        raise


def open_own_folder(path: str | bytes | os.PathLike[str], at: int | None = None) -> int:
    """Do the same as :func:`open_folder` for a directory of ours that a job may have closed to its owner. Raises
    OSError.
    """
    try:
        return open_folder(path, at)
    except PermissionError:
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        try:
            os.chmod(f"/proc/self/fd/{place}", 0o700)  # of what was opened, whatever has its name by now
        finally:
            os.close(place)
        return open_folder(path, at)


def open_plain(folder: int, name: str, flags: int = os.O_RDONLY, *, follow: bool = False) -> int:
    """Return a descriptor of the plain file ``name`` in ``folder``; the caller closes it.

    ``flags``: how to open it; it is always opened without waiting and without following a link. ``follow``: follow
    links, because a program may be one. Raises FileNotFoundError, :class:`NotPlain` for anything but a plain file, and
    any other OSError.
    """
    safe = _SAFE & ~os.O_NOFOLLOW if follow else _SAFE
    try:
        fd = os.open(name, flags | safe, 0o600, dir_fd=folder)
    except PermissionError:
        raise NotPlain(name, "closed to its owner") from None
    except OSError as error:
        if error.errno in _NO_FILE and (kind := kind_of(folder, name)):
            raise NotPlain(name, kind) from None
        raise  # a disk or a process in trouble, which says nothing about the file
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise NotPlain(name, kind_of(folder, name) or "not a plain file")


def read_plain(folder: int, name: str, most: int) -> bytes:
    """Return the content of the plain file ``name``. Raises FileNotFoundError, and :class:`NotPlain`, also for more
    than ``most`` bytes.
    """
    fd = open_plain(folder, name)
    try:
        if os.fstat(fd).st_size > most:
            raise NotPlain(name, f"larger than {most} bytes")
        data = read_up_to(fd, most + 1, 0)
    finally:
        os.close(fd)
    if len(data) > most:
        raise NotPlain(name, f"larger than {most} bytes")
    return data


def first_line(path: str) -> bytes | None:
    """Return the first line of a program's file, as far as the kernel reads it, or None where it cannot be read."""
    try:
        folder = open_folder(os.path.realpath(os.path.dirname(path)))
        try:
            fd = open_plain(folder, os.path.basename(path), follow=True)
        finally:
            os.close(folder)
        try:
            return os.pread(fd, 256, 0).partition(b"\n")[0]
        finally:
            os.close(fd)
    except (OSError, ValueError):
        return None


def read_up_to(fd: int, most: int, offset: int) -> bytes:
    """Return up to ``most`` bytes from ``offset``. There are fewer only at the end of the file."""
    pieces = []
    while most > 0 and (piece := os.pread(fd, min(most, 1 << 20), offset)):
        pieces.append(piece)
        offset += len(piece)
        most -= len(piece)
    return b"".join(pieces)


def write_plain(
    folder: int,
    name: str,
    data: bytes,
    reserved: tuple[str, int] | None = None,
    *,
    sync: bool = True,
    sync_name: bool = True,
) -> None:
    """Make ``name`` hold ``data``, completely or not at all. Raises OSError.

    The data are written to a new file with a random name, which then replaces whatever stands there. ``reserved``: the
    name and the inode of a file whose space is used instead, if it is still that file. ``sync``: the data are on disk
    before the name is, so the name never stands for less. ``sync_name``: the name is on disk, too, when this returns.
    Without these two, all of it holds only as long as the machine runs.
    """
    temporary, fd = _reserved_file(folder, reserved) or _new_file(folder, name)
    try:
        try:
            rest, at = data, 0
            while rest:
                written = os.pwrite(fd, rest, at)
                rest, at = rest[written:], at + written
            os.ftruncate(fd, len(data))
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        put_in_place(folder, temporary, name)
    except OSError:
        if reserved is None or temporary != reserved[0]:
            try:
                os.unlink(temporary, dir_fd=folder)
            except OSError:
                pass
        raise
    if sync_name:
        os.fsync(folder)


def put_in_place(folder: int, temporary: str, name: str) -> None:
    """Rename the file over whatever is there. A directory, which cannot be renamed over, is moved aside. Raises
    OSError.
    """
    for _ in range(3):
        try:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except (IsADirectoryError, NotADirectoryError):
            aside = f"{name}.{os.urandom(6).hex()}.aside"
            os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            return
    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def make_empty(folder: int, name: str) -> bool:
    """Make an empty file of that name. Returns False if something of that name is there. Raises OSError."""
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600, dir_fd=folder))
    except FileExistsError:
        return False
    return True


def is_there(folder: int, name: str) -> bool:
    """Return whether anything has that name, whatever it is."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def kind_of(folder: int, name: str) -> str | None:
    """Return what stands there, in words, if it is not a plain file. Returns None for a plain file or nothing."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        return None
    return next((words for is_one, words in _KINDS if is_one(mode)), "a device")


def inode_of(folder: int, name: str) -> int | None:
    """Return the inode of what has that name, or None where nothing has it."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
    except OSError:
        return None


def open_up(folder: int) -> None:
    """Give ourselves the right to write in a directory again, because its job may have taken it away."""
    try:
        os.fchmod(folder, 0o700)
    except OSError:
        pass


def _new_file(folder: int, name: str) -> tuple[str, int]:
    temporary = f"{name}.{os.urandom(8).hex()}.tmp"
    return temporary, os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600, dir_fd=folder)


def _reserved_file(folder: int, reserved: tuple[str, int] | None) -> tuple[str, int] | None:
    if reserved is None:
        return None
    name, inode = reserved
    try:
        fd = open_plain(folder, name, os.O_WRONLY)
    except OSError:
        return None
    found = os.fstat(fd)
    if found.st_ino == inode and found.st_nlink == 1:
        return name, fd
    os.close(fd)
    return None
