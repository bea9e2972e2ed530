"""Archives that are damaged, foreign or hostile, made of a good one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

Members = dict[str, bytes]


def members_of(file: Path) -> Members:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(file: Path, members: Members, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def changed(file: Path, change: Callable[[Any], object]) -> None:
    """Let ``change`` change the manifest of the archive in ``file``."""
    members = members_of(file)
    manifest = orjson.loads(members["manifest.json"])
    change(manifest)
    write(file, {**members, "manifest.json": orjson.dumps(manifest)})
