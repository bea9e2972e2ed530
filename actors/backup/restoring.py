"""Restoring: a state directory from a backup. A restored directory is valid only when its whole database has its name.

**Order.** The directory's lock and, where it can be reached, the original's are held all the time. Everything is made
in a folder inside the directory: the database is copied, checked, brought up to date, and its rows are made those of a
new runtime. Then key files, configuration and, last, the database get their names.

**Killed** before that last step, the directory has no database. The next restore of the same backup there goes on: it
removes what was half made, and finds the configuration and the keys as it would write them.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import attrs
import trio

from actors.backup.archive import CONFIGURATION, DATABASE, KEYS, Archive, Manifest, opened
from actors.backup.configuration import FIRST_TOKEN, rewritten, setting_path
from actors.backup.errors import BackupError
from actors.backup.machine import machine
from actors.ledger import restoring
from actors.ledger.restoring import Begun
from actors.providers.private_files import new_file, sync
from actors.settings.places import OWN_NAME
from actors.settings.settings import is_misspelt
from actors.store import InlineExecutor, Store, StoreError
from actors.store.copying import examine
from actors.store.restored import Restore
from actors.store.revision import KNOWN
from actors.store.state_directory import DATABASE as DATABASE_FILE
from actors.store.state_directory import AlreadyRunning, StateDirectory, StateDirectoryError

_FOLDER = ".greenroom-restore"
_INSTANCE_BYTES = 16


@attrs.frozen
class RestoredDirectory:
    """A state directory that was made from a backup.

    ``instance_id`` is that of the new runtime. ``begun`` says what was changed in the rows of the jobs.
    ``configuration`` is the file to start the runtime with. ``original_providers`` is where the original keeps the
    directories of its jobs; None where that cannot be reached, or is inside the new directory.
    """

    directory: Path
    configuration: Path
    manifest: Manifest
    instance_id: str
    jobs: int
    begun: Begun
    original_providers: Path | None = None


def restore(
    file: Path, into: Path, *, original_stopped: bool = False, now: datetime | None = None
) -> RestoredDirectory:
    """Make the state directory ``into`` from the backup in ``file``. Must not be called inside a run of trio.

    ``original_stopped`` means that a person says that no supervisor runs where the backup was made; this is believed
    where that place cannot be reached. ``now`` is the time (None: the machine's clock). Raises :class:`BackupError`;
    ``into`` has no database then.
    """
    try:
        into = into.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of symbolic links, a NUL
        raise BackupError(f"cannot use {str(into)!r:.200}: {getattr(error, 'strerror', None) or error}") from None
    with ExitStack() as stack:
        archive = stack.enter_context(opened(file))
        manifest = archive.manifest
        if manifest.revision not in KNOWN:
            message = f"{file} has a database of revision {manifest.revision}, newer than this Greenroom knows"
            raise BackupError(f"{message}; install Greenroom {manifest.greenroom}")
        _check_empty(into)
        try:
            stack.enter_context(StateDirectory(into))
            _hold_original(stack, manifest, into, original_stopped=original_stopped)
        except AlreadyRunning as error:
            raise BackupError(f"{error}; stop it first") from None
        except StateDirectoryError as error:
            raise BackupError(str(error)) from None
        _check_empty(into)
        try:
            return _restore(archive, into, now or datetime.now(UTC))
        except OSError as error:
            raise BackupError(f"cannot write to {into}: {error.strerror or error}") from error
        except StoreError as error:
            raise BackupError(f"nothing was restored: {error}") from error


def _check_empty(into: Path) -> None:
    """Raise :class:`BackupError` where a database would be replaced."""
    for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm"):
        if os.path.lexists(into / name):
            raise BackupError(f"{into} has a database already: move {name} away, or give another directory")


def _hold_original(stack: ExitStack, manifest: Manifest, into: Path, *, original_stopped: bool) -> None:
    """Hold the lock of the directory that the backup was made of, for as long as this restores."""
    original = Path(manifest.state_dir)
    with suppress(OSError):  # there is none, or it may not be looked at
        if original.samefile(into):
            return
    if _is_original(original, manifest):
        stack.enter_context(StateDirectory(original))
    elif not original_stopped:
        raise BackupError(
            f"cannot see whether a supervisor runs where the backup was made ({original}); make sure that it is "
            "stopped, since both would run the same jobs, and add --original-stopped"
        )


def _is_original(directory: Path, manifest: Manifest) -> bool:
    """Return whether this is the directory that the backup was made from, and not another one at the same path."""
    if not os.access(directory, os.W_OK | os.X_OK) or not directory.is_dir():
        return False
    try:
        if (directory / DATABASE_FILE).exists() and manifest.instance_id is not None:
            found = examine(directory / DATABASE_FILE)
            return manifest.instance_id in (found.instance_id, found.original_instance)
    except (OSError, StoreError):
        pass  # its database is lost, which may be why one restores
    return manifest.machine is not None and manifest.machine == machine()


def _restore(archive: Archive, into: Path, now: datetime) -> RestoredDirectory:
    folder = into / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    original = Path(archive.manifest.state_dir, "providers")
    there = os.path.isdir(original) and not os.path.lexists(into / "providers")  # noqa: PTH112 - raises nothing
    try:
        with new_file(folder / DATABASE) as output:
            archive.copy(DATABASE, output)
        copied = examine(folder / DATABASE)
        keys = _copy_keys(archive, folder, into)
        _write(folder / CONFIGURATION, _configuration(archive, folder, keys))
        instance_id = secrets.token_hex(_INSTANCE_BYTES)
        begun = trio.run(_make_new, folder / DATABASE, archive.manifest, instance_id, now)
        for path in keys.values():
            _place(folder / path.name, path)
        _place(folder / CONFIGURATION, into / OWN_NAME)
        (folder / DATABASE).rename(into / DATABASE_FILE)
        sync(into)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return RestoredDirectory(
        into, into / OWN_NAME, archive.manifest, instance_id, copied.jobs, begun, original if there else None
    )


def _copy_keys(archive: Archive, folder: Path, into: Path) -> dict[str, Path]:
    """Copy the key files into ``folder``. Return, for each setting, the path that its file will have in the end."""
    found = {}
    for name, member in archive.manifest.members.items():
        if name.startswith(KEYS) and member.setting is not None:
            is_token = member.setting == FIRST_TOKEN
            path = into / FIRST_TOKEN if is_token else into / "keys" / name.removeprefix(KEYS)
            with new_file(folder / path.name) as output:
                archive.copy(name, output)
            found[member.setting] = path
    return found


def _configuration(archive: Archive, folder: Path, keys: dict[str, Path]) -> bytes:
    content = b""
    if CONFIGURATION in archive.manifest.members:
        with new_file(folder / "original.yaml") as output:
            archive.copy(CONFIGURATION, output)
        content = (folder / "original.yaml").read_bytes()
    changes = {("state_dir",): "."} | {
        setting_path(setting): str(path) for setting, path in keys.items() if setting != FIRST_TOKEN
    }
    if Path(archive.manifest.config_file or OWN_NAME).name == OWN_NAME:
        return rewritten(content, changes)
    return rewritten(content, changes, removed=is_misspelt)  # another program's, and a fault in a file of this name


def _write(path: Path, content: bytes) -> None:
    with new_file(path) as output:
        output.write(content)


def _place(made: Path, path: Path) -> None:
    """Move a file to its name. A file with the same content may be there already, left by a restore that was killed."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.is_symlink() or path.read_bytes() != made.read_bytes():
            raise BackupError(f"{path} exists already, and is another one: move it away, or give another directory")
    made.replace(path)
    sync(path.parent)


async def _make_new(database: Path, manifest: Manifest, instance_id: str, now: datetime) -> Begun:
    """Bring the database up to the current schema, and change its rows into those of a new runtime."""
    store = Store(database, executor=InlineExecutor(), now=lambda: now)
    await store.open()
    try:
        made = Restore(now, manifest.began_at, manifest.state_dir, manifest.instance_id)
        begun: Begun = await store.write(lambda tx: restoring.begin(tx, made, instance_id))
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()
    if database.with_name(f"{database.name}-wal").exists():
        raise StoreError(f"{database} still has a write-ahead log")
    return begun
