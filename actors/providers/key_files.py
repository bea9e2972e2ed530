"""Small JSON files, one for each submission key. Each is complete or not there, even after a crash of the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import orjson

from actors.providers.private_files import new_file, sync

_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def is_file_name(key: str) -> bool:
    """Return whether ``key`` can be the name of a file, because it may come from elsewhere."""
    return _KEY.fullmatch(key) is not None


@attrs.frozen
class KeyFiles:
    """The files in ``folder``, which need not exist. Everything here blocks on the disk and raises ``OSError``."""

    folder: Path

    def write(self, key: str, content: Mapping[str, Any]) -> None:
        """Write the file of ``key``; it is safe on the disk when this returns."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(key)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with new_file(part) as file:
            file.write(orjson.dumps(content))
        part.replace(path)
        sync(self.folder)

    def read(self, key: str) -> Any:
        """Return the content of the file of ``key``. Raises ``FileNotFoundError``, and ``ValueError`` for a damaged
        file.
        """
        return orjson.loads(self._path(key).read_bytes())

    def has(self, key: str) -> bool:
        """Return whether there is a file of ``key``."""
        return self._path(key).exists()

    def all_keys(self) -> list[str]:
        """Return the keys of all files."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def remove(self, key: str) -> None:
        """Remove the file of ``key``, if there is one."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
