"""The directory of the shared socket (section ``socket``): its owner, who may pass through it, who uses it.

Commands trust the server on a socket if it is the owner of the socket's directory, and nobody else may write to that
directory (D7). So it belongs to the supervisor's user and has mode 0750: the members of its group may connect to the
socket, and cannot replace it by another. It may contain only the socket and a lock, because its mode and group are
changed, which must never happen to other files of a user. The lock, which the group cannot open, keeps out a second
supervisor; so a socket that is there at a start was left by a supervisor that has ended.
"""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from actors.api.options import SocketOptions
from actors.api.socket_file import LONGEST, SOCKET
from actors.api.unix_peer import user_name
from actors.jobs.os_text import shown
from actors.store.ownership import is_ours, mode_of, others_may_write
from actors.store.state_directory import LOCK, StateDirectoryError, hold, release
from logconf import get_logger

MODE = 0o750
_ANOTHER = "set socket.directory to another place"
_logger = get_logger("actors.api.shared_directory")


class SharedDirectoryError(Exception):
    """The shared socket cannot be served; the message says why and what to do."""


@attrs.frozen
class SharedDirectory:
    """``path``, for the group that is called ``group`` and has the number ``gid``."""

    path: Path
    group: str
    gid: int

    @property
    def socket(self) -> Path:
        """Where the socket is."""
        return self.path / SOCKET

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory, in its required state, for the length of the block. Raises
        :class:`SharedDirectoryError`.
        """
        self._secure()
        try:
            lock = hold(self.path)
        except StateDirectoryError as error:
            raise SharedDirectoryError(f"{error}; {_ANOTHER}") from None
        except OSError as error:
            raise SharedDirectoryError(f"cannot use {self.path}: {error.strerror}; {_ANOTHER}") from None
        try:
            yield
        finally:
            release(lock)

    def _secure(self) -> None:
        """Create the directory, or correct the group and mode of an existing one. Raises
        :class:`SharedDirectoryError`.
        """
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            pass
        except OSError as error:
            raise SharedDirectoryError(f"cannot make {self.path}: {error.strerror}; {self._way_out()}") from None
        descriptor = self._opened()
        try:
            self._check(descriptor)
            self._give_to_group(descriptor)
        finally:
            os.close(descriptor)

    def fault(self) -> str | None:
        """Why it cannot be used as it is; None if it can, or if it does not exist yet. Changes nothing."""
        try:
            descriptor = self._opened()
        except SharedDirectoryError as error:
            return None if isinstance(error.__cause__, FileNotFoundError) else str(error)
        try:
            self._check(descriptor)
        except SharedDirectoryError as error:
            return str(error)
        finally:
            os.close(descriptor)
        return None

    def warnings(self) -> Iterator[str]:
        """What is unsafe about the directories above it."""
        parent = self.path.parent.resolve()
        for one in (parent, *parent.parents):
            found = one.stat()
            if not is_ours(found):
                yield f"{one} belongs to {user_name(found.st_uid)}, who can put another directory in its place"
            elif others_may_write(found):
                first = " while it is not there" if found.st_mode & stat.S_ISVTX else ""
                yield f"others may write to {one} (mode {mode_of(found)}), and put a directory in its place{first}"
            group_may_pass = found.st_gid == self.gid and found.st_mode & stat.S_IXGRP
            if not (found.st_mode & stat.S_IXOTH or group_may_pass):
                yield f"group {self.group} cannot pass through {one} (mode {mode_of(found)})"

    def _opened(self) -> int:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            why = "is a symbolic link" if self.path.is_symlink() else f"cannot be opened: {error.strerror}"
            raise SharedDirectoryError(f"{self.path} {why}; {_ANOTHER}") from error

    def _check(self, descriptor: int) -> None:
        """Raises :class:`SharedDirectoryError` if it is not ours, or has other files."""
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            owner, we = user_name(found.st_uid), user_name(os.geteuid())
            raise SharedDirectoryError(f"{self.path} belongs to {owner} and must be {we}'s; {_ANOTHER}")
        with os.scandir(descriptor) as entries:
            foreign = sorted(one.name for one in entries if not _is_own(one))
        if foreign:
            message = f"{self.path} must be for the socket alone, and has {shown(foreign[0])!r:.60}; {_ANOTHER}"
            raise SharedDirectoryError(message)

    def _give_to_group(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if (found.st_gid, stat.S_IMODE(found.st_mode)) == (self.gid, MODE):
            return
        os.fchmod(descriptor, 0o700)
        self._check(descriptor)  # again: now nobody else can put anything there
        give_to_group(descriptor, self.gid, self.group)
        os.fchmod(descriptor, MODE)
        _logger.info("%s is for group %s now (mode 0750)", self.path, self.group)

    def _way_out(self) -> str:
        return (
            f"give socket.directory one that {user_name(os.geteuid())} may make, "
            f"or let systemd make it (RuntimeDirectory={self.path.name})"
        )


def give_to_group(file: int | Path, gid: int, group: str) -> None:
    """Change the group. Raises :class:`SharedDirectoryError` if the supervisor's user, who must be a member, may
    not.
    """
    try:
        os.chown(file, -1, gid)
    except OSError as error:
        user = user_name(os.geteuid())
        message = (
            f"cannot give the shared socket to group {group} ({error.strerror}): make {user} a member "
            f"(usermod -aG {group} {user}) and start it anew, or name another in socket.group"
        )
        raise SharedDirectoryError(message) from None


def shared_directory(options: SocketOptions, state_dir: Path) -> SharedDirectory:
    """The directory that ``options`` name. Raises :class:`SharedDirectoryError` if it is not possible."""
    try:
        gid = grp.getgrnam(options.group).gr_gid
    except KeyError:
        message = (
            f"there is no group {options.group}; make it (groupadd {options.group}), or name another in socket.group"
        )
        raise SharedDirectoryError(message) from None
    path = options.directory
    if len(os.fsencode(path / SOCKET)) > LONGEST:
        message = f"the path {path / SOCKET} is longer than {LONGEST} bytes; give socket.directory a shorter one"
        raise SharedDirectoryError(message)
    if path.resolve().is_relative_to(state_dir.resolve()):
        message = f"{path} lies in the state directory, which is closed to other users; {_ANOTHER}"
        raise SharedDirectoryError(message)
    return SharedDirectory(path, options.group, gid)


def _is_own(entry: os.DirEntry[str]) -> bool:
    """Whether it is the socket or the lock that a supervisor of this user has left."""
    found = entry.stat(follow_symlinks=False)
    kind = {SOCKET: stat.S_ISSOCK, LOCK: stat.S_ISREG}.get(entry.name)
    return kind is not None and kind(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1


def usable_directory(options: SocketOptions, state_dir: Path) -> SharedDirectory:
    """The directory that ``options`` name, after it was checked and created; logs what is unsafe above it.

    Raises :class:`SharedDirectoryError`.
    """
    directory = shared_directory(options, state_dir)
    with directory.held():
        for warning in directory.warnings():
            _logger.warning("The shared socket in %s: %s", directory.path, warning)
    return directory
