"""Paths that begin with ``~`` or ``~USER``, as people write them in settings, variables and job files."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """Return ``path`` with the home directory in place of ``~`` or ``~USER``; as it is where that user is unknown.

    ``Path.expanduser`` raises ``RuntimeError`` there. This way a file is not found, as any other wrong name.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def is_unknown(path: Path) -> bool:
    """Return whether a path that was :func:`expanded` still begins with ``~``: it must not become a new directory."""
    return str(path).startswith("~")


UNKNOWN = "names the home directory of an unknown user; write the path in full"
