"""Makes a backup: copies the database as it is at one moment, while jobs run, and the files that belong to it."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import attrs

from actors.backup.archive import CONFIGURATION, DATABASE, FORMAT, KEYS, VERSION, ArchiveWriter, Manifest
from actors.backup.configuration import key_files, rewritten
from actors.backup.errors import BackupError
from actors.backup.machine import machine
from actors.backup.output import check_target, place, working_folder
from actors.jobs.os_text import shown
from actors.providers.private_files import new_file
from actors.settings import Settings
from actors.store import StoreError
from actors.store.copying import copy
from actors.store.state_directory import DATABASE as DATABASE_FILE
from actors.store.state_directory import LOG
from actors.validation import CheckedError, read_bytes

_MOST_KEY_FILE = 1 << 20


@attrs.frozen
class Taken:
    """A backup that was written.

    ``jobs`` counts all jobs in it, ``active_jobs`` those that had not ended. ``notes`` says what could not be copied
    this time; ``manifest.left_out`` says what no backup contains.
    """

    file: Path
    size: int
    jobs: int
    active_jobs: int
    manifest: Manifest
    notes: tuple[str, ...] = ()


def take(settings: Settings, file: Path, *, force: bool = False, now: datetime | None = None) -> Taken:
    """Write a backup of the state directory of ``settings`` to ``file``, whether or not a supervisor runs.

    ``force`` allows a file of that name to be replaced. ``now`` is the time (None: the machine's clock). Raises
    :class:`BackupError`; no file is left and none was replaced then.
    """
    file = file.absolute()
    check_target(file, force=force)
    database = settings.state_dir / DATABASE_FILE
    _check_database(database)
    try:
        with working_folder(file) as folder:
            return _take(settings, database, file, folder, now or datetime.now(UTC), force=force)
    except OSError as error:
        raise BackupError(f"cannot write {file}: {error.strerror or error}") from error
    except (StoreError, sqlite3.Error, CheckedError) as error:
        raise BackupError(f"no backup was made: {error}") from error


def _check_database(database: Path) -> None:
    try:
        found = database.stat()
    except FileNotFoundError:
        raise BackupError(f"there is nothing in {database.parent} yet, so there is nothing to back up") from None
    except OSError as error:
        raise BackupError(f"cannot read {database}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise BackupError(f"{database} is not a regular file, so it is not a database")


def _take(settings: Settings, database: Path, file: Path, folder: Path, began_at: datetime, *, force: bool) -> Taken:
    copied = copy(database, folder / DATABASE)
    configuration = None
    if settings.config_file is not None:
        configuration = read_bytes(settings.config_file, str(settings.config_file))
        rewritten(configuration, {("state_dir",): "."})  # as a restore does: it may have changed since it was read
    keys, notes = _key_files(settings)
    with new_file(folder / "archive") as output:
        archive = ArchiveWriter(output)
        with (folder / DATABASE).open("rb") as content:
            archive.add(DATABASE, content)
        if configuration is not None:
            archive.add(CONFIGURATION, BytesIO(configuration))
        for name, (setting, key) in keys.items():
            archive.add(name, BytesIO(key), setting)
        manifest = Manifest(
            FORMAT, VERSION, version("greenroom"), copied.revision, began_at, os.fspath(settings.state_dir.absolute()),
            archive.members, copied.instance_id, machine(),
            None if settings.config_file is None else shown(str(settings.config_file)), _left_out(settings),
        )  # fmt: skip
        archive.finish(manifest)
        size = output.tell()
    place(folder / "archive", file, force=force)
    return Taken(file, size, copied.jobs, copied.active_jobs, manifest, tuple(notes))


def _key_files(settings: Settings) -> tuple[Mapping[str, tuple[str, bytes]], list[str]]:
    """Return the key files by the name of their member, each with its setting, and notes on unreadable ones."""
    found: dict[str, tuple[str, bytes]] = {}
    notes: list[str] = []
    for number, (path, file) in enumerate(key_files(settings), 1):
        setting = ".".join(path)
        try:
            content = _content(file)
        except OSError as error:
            notes.append(f"{setting}: {file} is not in the backup: {error.strerror or error}")
            continue
        readable = re.sub(r"[^A-Za-z0-9._-]", "_", file.name, flags=re.ASCII).lstrip(".")[-100:] or "key"
        found[f"{KEYS}{number}-{readable}"] = setting, content
    return found, notes


def _content(file: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor, not a path
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_KEY_FILE:
            raise OSError("it is not a regular file, or larger than 1 MiB")
        return opened.read(_MOST_KEY_FILE)


def _left_out(settings: Settings) -> tuple[str, ...]:
    """Say in words what a backup never contains."""
    found = [f"directories and output of jobs: {settings.state_dir / 'providers'}"]
    if settings.config_file is None:
        found.append("a configuration: no file was found; if the supervisor has one, name it with --config")
    with suppress(OSError):
        if (log := settings.state_dir / LOG).exists():
            found.append(f"the log: {log.parent}")
    return (*found, "variables of the environment, such as the tokens of providers")
