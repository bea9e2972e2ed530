"""The file of a backup: a ZIP archive whose members are stored as they are, and a manifest that lists them.

``manifest.json``
    format and version, what was copied from where and when, and for each other member its size and SHA-256.
``greenroom.db``
    the database, an SQLite file.
``greenroom.yaml``
    the configuration, where there was a file.
``keys/NAME``
    the key files that the configuration names; the manifest says under which setting.

An archive from elsewhere is hostile: nothing is read that the manifest does not list, no name of a member becomes a
path, and nothing is unpacked that is compressed, so that no member is larger than the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import attrs
import orjson

from actors.backup.errors import BackupError
from actors.validation import INPUT, CheckedError

FORMAT, VERSION = "greenroom-backup", 1
MANIFEST, DATABASE, CONFIGURATION, KEYS = "manifest.json", "greenroom.db", "greenroom.yaml", "keys/"
_NAME = re.compile(r"greenroom\.(db|yaml)|keys/[0-9]{1,3}-[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", re.ASCII)
_MOST_MANIFEST = 1 << 20
_PIECE = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, ValueError, RuntimeError,
    OverflowError,
)  # fmt: skip
"""The exceptions that reading may raise where the file is not an archive, or is damaged."""


@attrs.frozen
class Member:
    """One member of the archive: its ``size`` in bytes and its ``sha256`` in hex.

    ``setting`` is the configuration setting that named the file; only key files have one.
    """

    size: int
    sha256: str
    setting: str | None = None


@attrs.frozen
class Manifest:
    """What the backup was made of, and when.

    Every job that was committed before ``began_at`` is in the backup. ``revision`` is that of the database schema.
    ``state_dir`` and ``machine`` say where the original is, ``config_file`` which configuration file it used.
    ``instance_id`` and ``machine`` may be unknown. ``left_out`` says in words what the backup does not contain.
    """

    format: str
    version: int
    greenroom: str
    revision: str
    began_at: datetime
    state_dir: str
    members: Mapping[str, Member]
    instance_id: str | None = None
    machine: str | None = None
    config_file: str | None = None
    left_out: tuple[str, ...] = ()


class ArchiveWriter:
    """Writes an archive into an open file. The archive is complete only after :meth:`finish`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
        self.members: dict[str, Member] = {}

    def add(self, name: str, content: IO[bytes], setting: str | None = None) -> None:
        """Copy ``content`` into the member ``name``. Raises ``OSError``."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(_entry(name), "w", force_zip64=True) as member:
            while piece := content.read(_PIECE):
                member.write(piece)
                digest.update(piece)
                size += len(piece)
        self.members[name] = Member(size, digest.hexdigest(), setting)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and the directory of the archive. Raises ``OSError``."""
        content = orjson.dumps(attrs.asdict(manifest), option=orjson.OPT_INDENT_2)
        self._zip.writestr(_entry(MANIFEST), content)
        self._zip.close()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFREG | 0o600) << 16
    return entry


class Archive:
    """An archive that was opened. Its manifest has been checked, and it has exactly the members that this lists."""

    def __init__(self, name: str, archive: zipfile.ZipFile) -> None:
        self._name = name
        self._zip = archive
        entries = archive.infolist()
        self._entries = {entry.filename: entry for entry in entries}
        self.manifest = self._manifest()
        listed = {MANIFEST, *self.manifest.members}
        if len(entries) != len(self._entries) or self._entries.keys() != listed:
            raise BackupError(f"{name} is damaged: its members are not those that its manifest lists")
        for member in self.manifest.members:
            if not _NAME.fullmatch(member):
                raise BackupError(f"{name} is not a backup that Greenroom made: it has a member {member!r:.80}")
            self._check(member)
        if DATABASE not in self.manifest.members:
            raise BackupError(f"{name} is damaged: it has no database")

    def _check(self, name: str) -> None:
        entry = self._entries[name]
        is_plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 1
        if not is_plain or entry.file_size != entry.compress_size:
            raise BackupError(
                f"{self._name} is not a backup that Greenroom made: its members are packed in another way"
            )

    def _manifest(self) -> Manifest:
        if MANIFEST not in self._entries:
            raise BackupError(f"{self._name} is not a backup of Greenroom's: it has no manifest")
        self._check(MANIFEST)
        if self._entries[MANIFEST].file_size > _MOST_MANIFEST:
            raise BackupError(f"{self._name} is not a backup that Greenroom made: its manifest is too large")
        try:
            found = json.loads(self._zip.read(MANIFEST))
        except (RecursionError, *_UNREADABLE) as error:
            raise BackupError(f"{self._name} is damaged: its manifest cannot be read ({error})") from None
        _check_format(self._name, found)
        try:
            manifest = cast("Manifest", INPUT.read(found, Manifest))
        except CheckedError as error:
            raise BackupError(f"{self._name} is damaged: its manifest has an invalid value ({error})") from None
        if not Path(manifest.state_dir).is_absolute():
            where = f"state_dir: {manifest.state_dir!r:.80}"
            raise BackupError(f"{self._name} is damaged: its manifest has an invalid value ({where})")
        return manifest

    def copy(self, name: str, into: IO[bytes]) -> None:
        """Copy one member into an open file.

        Raises :class:`BackupError` where the member is damaged, and ``OSError`` where the disk fails.
        """
        wanted, digest, size = self.manifest.members[name], hashlib.sha256(), 0
        try:
            with self._zip.open(self._entries[name]) as member:
                while piece := member.read(_PIECE):
                    digest.update(piece)
                    size += len(piece)
                    into.write(piece)
        except _UNREADABLE as error:
            raise BackupError(f"{self._name} is damaged: {name} cannot be read ({error})") from None
        if (size, digest.hexdigest()) != (wanted.size, wanted.sha256):
            raise BackupError(f"{self._name} is damaged: {name} is not what the manifest says")


def _check_format(name: str, found: Any) -> None:
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BackupError(f"{name} is not a backup of Greenroom's")
    version = found.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BackupError(f"{name} is damaged: its manifest has an invalid value (version: {version!r:.80})")
    if version > VERSION:
        made_by = f"{found.get('greenroom')!s:.40}"
        message = f"{name} was made by a newer Greenroom ({made_by}) in a format that this one does not know"
        raise BackupError(f"{message}; install that version")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open the archive in the file ``path``.

    Raises :class:`BackupError` where there is no such file, or where it is not a backup of Greenroom.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BackupError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BackupError(f"{path} is not a regular file, so it is not a backup")
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        try:
            archive = zipfile.ZipFile(file)
        except _UNREADABLE:
            raise BackupError(f"{path} is not a backup of Greenroom's, or it was cut short") from None
        except OSError as error:
            raise BackupError(f"cannot read {path}: {error.strerror}") from None
        with archive:
            yield Archive(str(path), archive)
