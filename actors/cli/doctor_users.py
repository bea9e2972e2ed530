"""What ``doctor`` checks about the socket for other users of this machine, and about their rights."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from typing import TYPE_CHECKING

from actors.api.shared_directory import SharedDirectoryError, shared_directory
from actors.api.unix_peer import user_name
from actors.jobs.suggestions import did_you_mean

if TYPE_CHECKING:
    from actors.settings import Settings

_SOCKET, _COMMANDS, _USERS = "shared socket", "commands of other users", "users"


def findings(settings: Settings) -> Iterator[tuple[str, bool, str, str]]:
    """For each check: its subject, whether it is good, what was found, and what to do."""
    if settings.socket is not None:
        yield from _socket(settings)
        if settings.socket.commands:
            yield _commands(settings.socket.group)
    elif settings.users:
        yield _USERS, False, "they have rights, and there is no socket for them", "give socket.group"
    yield from _unknown(list(settings.users))


def _socket(settings: Settings) -> Iterator[tuple[str, bool, str, str]]:
    assert settings.socket is not None
    try:
        directory = shared_directory(settings.socket, settings.state_dir)
        if (fault := directory.fault()) is not None:
            raise SharedDirectoryError(fault)
    except SharedDirectoryError as error:
        found, _, advice = str(error).partition("; ")
        yield _SOCKET, False, found, advice
        return
    members = ", ".join(sorted(grp.getgrgid(directory.gid).gr_mem)) or "no members beside users whose own group it is"
    yield _SOCKET, True, f"{directory.path}, for group {directory.group} ({members})", ""
    for warning in directory.warnings():
        yield _SOCKET, False, warning, "set socket.directory to another place, such as /run/greenroom"


def _commands(group: str) -> tuple[str, bool, str, str]:
    user = user_name(os.geteuid())
    found = f"run as {user}: who is in group {group} can read and change whatever {user} can"
    as_root = os.geteuid() == 0
    return _COMMANDS, not as_root, found, "run the supervisor as a user of its own, not as root" if as_root else ""


def _unknown(names: list[str]) -> Iterator[tuple[str, bool, str, str]]:
    known = [one.pw_name for one in pwd.getpwall()] if names else []
    for name in names:
        try:
            pwd.getpwnam(name)  # a table on another machine may not list its names
        except KeyError:
            yield _USERS, False, f"this machine has no user {name!r}", f"correct it in users{did_you_mean(name, known)}"
