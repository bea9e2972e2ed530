"""Which configuration file is read: the first of these places that has one.

1. ``--config FILE``  2. ``$SIMPLETUNER_ENTERPRISE_CONFIG``  3. the working directory  4. ``~/.config/simpletuner/``
5. ``/etc/simpletuner/``

A directory has ``greenroom.yaml`` or ``simpletuner-enterprise.yaml``, never both. In the working directory a file is
read only if it belongs to this user and nobody else may write to it, because a shared folder must not decide which
programs run. In the other places, which a person has named or made for it, such a file is read, with a WARNING.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import attrs

from actors.jobs.home_directory import expanded
from actors.settings.places import CONFIG, NAMES, directories
from actors.settings.variables import Note
from actors.store.ownership import file_fault
from actors.validation import CheckedError, Place, Problem, read_bytes
from actors.validation.files import MAX_BYTES


@attrs.frozen
class Located:
    """The file that was chosen: ``name`` is what messages call it."""

    path: Path
    name: str
    content: bytes


def locate(
    named: Path | None, environ: Mapping[str, str], cwd: Path | None, home: Path, system: Path, notes: list[Note]
) -> Located | None:
    """The file to read, None without one. Raises :class:`CheckedError`; a file that was skipped is noted.

    ``named``: on the command line. ``cwd``: None: the working directory does not count.
    """
    if named is not None:
        return _read(named, str(named), notes)
    if variable := environ.get(CONFIG):
        return _read(expanded(variable), f"{variable} (from {CONFIG})", notes)
    if cwd is not None and (found := _in_working_directory(cwd, notes)) is not None:
        return found
    for directory in directories(home, system):
        if present := [directory / name for name in NAMES if _is_there(directory / name)]:
            path = _only(present)
            return _read(path, str(path), notes)
    return None


def _read(path: Path, name: str, notes: list[Note]) -> Located:
    content = read_bytes(path, name)
    found = path.stat()
    if stat.S_ISREG(found.st_mode) and (why := file_fault(found)) is not None:
        message = f"{path} says which programs run, and {why}: chown it to yourself and chmod go-w it"
        notes.append(Note(logging.WARNING, message, {"file": str(path)}))
    return Located(path.absolute(), name, content)


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:  # a directory that may not be entered holds nothing for this user
        return False
    return True


def _only(present: list[Path]) -> Path:
    if len(present) > 1:
        message = f"{present[1].name} stands beside it; keep one of the two"
        raise CheckedError([Problem(Place(str(present[0])), "", message)])
    return present[0]


def _in_working_directory(cwd: Path, notes: list[Note]) -> Located | None:
    trusted: dict[Path, bytes] = {}
    for name in NAMES:
        try:
            trusted[cwd / name] = _own_content(cwd / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            notes.append(_skipped(cwd / name, f"it cannot be read: {error.strerror}"))
        except _NotTrusted as error:
            notes.append(_skipped(cwd / name, str(error)))
    if not trusted:
        return None
    path = _only(list(trusted))
    if len(trusted[path]) > MAX_BYTES:
        raise CheckedError([Problem(Place(path.name), "", f"is larger than {MAX_BYTES} bytes")])
    return Located(path, path.name, trusted[path])


class _NotTrusted(Exception):
    """Why a file of the working directory is not read."""


def _own_content(path: Path) -> bytes:
    """What is in ``path``. The descriptor is checked, so that the file that was checked is the one that is read."""
    link = path.lstat()
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _NotTrusted("it is not a regular file")
        user = os.geteuid()
        if not link.st_uid == found.st_uid == user:  # root's neither: root may have left it here for another reason
            other = found.st_uid if found.st_uid != user else link.st_uid
            raise _NotTrusted(f"it belongs to the user with uid {other}; name it with --config if it is meant")
        if (why := file_fault(found)) is not None:
            raise _NotTrusted(f"{why}; chmod go-w it, or name it with --config")
        return file.read(MAX_BYTES + 1)


def _skipped(path: Path, why: str) -> Note:
    return Note(logging.WARNING, f"{path} is skipped: {why}", {"file": str(path)})
