"""Makes a package from a directory, which Ray's nodes unpack. The same content has the same name, and is sent only
once.

The packages are those of ``ray job submit --working-dir``: ``_ray_pkg_<hash>.zip`` in the head's own store. The store
loses them when the head is restarted, and ten minutes after their last use.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from actors.providers.errors import FieldFault, Invalid, explained_as, wrong

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip: the name depends on the content alone
_MOST_FILES = 50_000


@attrs.frozen
class Package:
    """A packed directory, and its name, which is made from its content."""

    name: str
    content: bytes

    @property
    def uri(self) -> str:
        """The address of the package in a runtime environment."""
        return f"gcs://{self.name}"


def pack(directory: Path, exclude: Sequence[str], most_bytes: int) -> Package:
    """Pack the regular files below ``directory``. Links are not followed out of it; sockets and devices are left out.

    Blocks on the disk. Raises :class:`Invalid` for what is not a directory, cannot be read, or is too much to be meant.
    """
    place = directory.resolve()
    if place == Path(place.anchor) or place == Path.home():
        raise Invalid(wrong("cwd", f": {directory} would be uploaded whole; give the directory of the program"))
    if not place.is_dir():
        raise Invalid(wrong("cwd", f": {directory} is not a directory on this machine"))
    digest, packed = hashlib.sha256(), io.BytesIO()
    with (
        explained_as(Invalid, f"cwd: {directory} cannot be uploaded", field="cwd"),
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, path in _files(place, exclude):
            _add(archive, digest, name, path, most_bytes)
            if packed.tell() > most_bytes:
                raise Invalid(_too_large(directory, most_bytes))
    return Package(f"_ray_pkg_{digest.hexdigest()[:32]}.zip", packed.getvalue())


def _files(place: Path, exclude: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the names below ``place``, and where they are, in an order that depends on the names alone."""
    count = 0
    for folder, folders, files in os.walk(place, onerror=_raise):
        folders[:] = sorted(name for name in folders if not _left_out(name, exclude))
        for name in sorted(files):
            path = Path(folder, name)
            if _left_out(name, exclude) or not path.resolve().is_relative_to(place):
                continue
            if not path.is_file():
                continue
            if (count := count + 1) > _MOST_FILES:
                raise Invalid(wrong("cwd", f": {place} has more than {_MOST_FILES} files; put data elsewhere"))
            yield path.relative_to(place).as_posix(), path


def _add(archive: zipfile.ZipFile, digest: hashlib._Hash, name: str, path: Path, most_bytes: int) -> None:
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if found.st_size > 10 * most_bytes:  # else a sparse file would be packed for an hour before it is too much
            raise Invalid(_too_large(path, most_bytes))
        content = file.read(10 * most_bytes + 1)
    mode = stat.S_IFREG | (0o755 if found.st_mode & stat.S_IXUSR else 0o644)
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    digest.update(b"%d %d %d " % (len(name.encode("utf-8", "surrogateescape")), mode, len(content)))
    digest.update(name.encode("utf-8", "surrogateescape") + content)
    archive.writestr(entry, content)


def _left_out(name: str, exclude: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in exclude)


def _too_large(place: Path, most_bytes: int) -> FieldFault:
    words = f"is too large to be uploaded (upload_bytes: {most_bytes}); put data elsewhere, or exclude it"
    return wrong("cwd", f": {place} {words}")


def _raise(error: OSError) -> None:
    raise error
