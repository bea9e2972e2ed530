"""Whether a program is a script with Windows line ends, whose first line names an interpreter that nobody has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from actors.providers.local.shim.files import open_folder, open_plain

_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "zsh"})
_MOST = 256  # bytes that the kernel looks at
NOTE = "the script has Windows line ends (CRLF): convert it, for example with: sed -i 's/\\r$//' FILE"


def has_windows_lines(program: str, cwd: str, path: str) -> bool:
    """Whether the first line of ``program`` (looked for in ``path``, where it names no folder) ends in CR LF."""
    folders = [cwd] if "/" in program else path.split(":")
    for place in (Path(cwd, folder, program) for folder in folders):
        line = _first_line(place)
        if line is not None:
            return line.startswith(b"#!") and line.endswith(b"\r")
    return False


def script_of_shell(argv: Sequence[str]) -> str:
    """The script that a shell was told to run; "" where the program is no shell, or was given no script."""
    if not argv or os.path.basename(argv[0]) not in _SHELLS:  # noqa: PTH119 - a name, of which nothing is looked up
        return ""
    word = next((word for word in argv[1:] if not word.startswith("-") or word == "-c"), "")
    return "" if word == "-c" else word


def shell_stumbles(script: str, cwd: str) -> bool:
    """Whether the first line of a shell's ``script`` ends in CR LF: a shell takes the CR for a part of each command."""
    line = _first_line(Path(cwd, script)) if script else None
    return line is not None and line.endswith(b"\r")


def _first_line(place: Path) -> bytes | None:
    try:
        folder = open_folder(place.parent.resolve())
        try:
            fd = open_plain(folder, place.name, follow=True)
        finally:
            os.close(folder)
    except (OSError, ValueError):
        return None
    try:
        return os.pread(fd, _MOST, 0).partition(b"\n")[0]
    except OSError:
        return None
    finally:
        os.close(fd)
