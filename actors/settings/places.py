"""Where settings and state are, for commands that must not wait until a file of settings is read.

Every command imports what is imported here. A state directory is known without reading YAML if ``GREENROOM_HOME`` names
it, if no file of settings exists, or if a supervisor or a command that read the file has left a note: a file in
``$XDG_CACHE_HOME/greenroom`` with the path of the file of settings, its identity and times of change, the state
directory that it names, and the variables that jobs inherit by it. A note that is damaged, or about a file that was
changed since, is ignored. A wrong note does little harm: commands send nothing to a server that is not trusted (D7).
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import orjson

from actors.jobs.home_directory import UNKNOWN, expanded, is_unknown
from actors.settings.variable_names import CONFIG as CONFIG
from actors.settings.variable_names import HOME as HOME

OWN_NAME = "greenroom.yaml"
"""A file of this name is ours alone; the other may hold sections of other programs."""
NAMES = (OWN_NAME, "simpletuner-enterprise.yaml")
SYSTEM = Path("/etc/simpletuner")
_LONGEST_NOTE = 16_384


def directories(home: Path, system: Path = SYSTEM) -> tuple[Path, Path]:
    """Where a file of settings is looked for that is neither named nor in the working directory."""
    return home / ".config" / "simpletuner", system


def state_directory(environ: Mapping[str, str]) -> tuple[Path, str] | None:
    """The state directory that ``GREENROOM_HOME`` names, and the variable's name; None without it.

    Raises ``ValueError`` where it names the home directory of an unknown user.
    """
    if not (named := environ.get(HOME)):
        return None
    if is_unknown(path := expanded(named)):
        raise ValueError(UNKNOWN)
    return path.absolute(), HOME


def usual_state_directory(environ: Mapping[str, str], home: Path) -> Path:
    """Where state is kept by default: https://specifications.freedesktop.org/basedir-spec/latest/"""
    return _base(environ, "XDG_STATE_HOME", home / ".local" / "state") / "greenroom"


def known_state_directory(named: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The state directory, if it is known without reading a file of settings. ``named``: that of ``--config``."""
    with suppress(OSError, RuntimeError, ValueError):
        if named is not None and not expanded(named).is_file():
            return None  # it is an error, which reading it explains
        if (found := state_directory(environ)) is not None:
            return found[0]
        home = Path.home()
        files = list(_files(named, environ, home))
        if not files:
            return usual_state_directory(environ, home)
        if len(files) == 1 and (noted := _noted(files[0], environ, home)) is not None:
            return None if noted[0] is None else Path(noted[0])
    return None


def known_env_from(named: str | None, environ: Mapping[str, str] = os.environ) -> tuple[str, ...] | None:
    """The variables that every job inherits by the settings (E12); None: that takes reading a file of settings.

    ``named``: the file that ``--config`` names.
    """
    with suppress(OSError, RuntimeError, ValueError):
        home = Path.home()
        files = list(_files(named, environ, home))
        if not files:
            return ()
        if len(files) == 1 and (noted := _noted(files[0], environ, home)) is not None:
            return noted[1]
    return None


def note_settings(
    file: Path | None, state_dir: Path, env_from: Sequence[str], environ: Mapping[str, str] = os.environ
) -> None:
    """Note for later commands what the settings in ``file`` lead to. Failing is no error.

    ``state_dir`` is noted unless it follows from a variable instead of the file.
    """
    if file is None:
        return
    with suppress(OSError, RuntimeError, ValueError):
        home = Path.home()
        note = _note(file, environ, home)
        follows = None if environ.get(HOME) else str(state_dir)
        content = orjson.dumps([*_identity(file, environ, home), follows, list(env_from)])
        if note.is_file() and note.read_bytes() == content:
            return
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = note.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(content)
        temporary.replace(note)


def _files(named: str | None, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """The file that decides; several where that takes a closer look."""
    if chosen := named or environ.get(CONFIG):
        yield expanded(chosen).absolute()
        return
    for directory in (Path.cwd(), *directories(home)):
        there = [directory / name for name in NAMES if os.path.lexists(directory / name)]
        if there:
            yield from there
            return


def _noted(file: Path, environ: Mapping[str, str], home: Path) -> tuple[str | None, tuple[str, ...]] | None:
    """The state directory and the variables that are noted of ``file``; None without a note that holds."""
    with _note(file, environ, home).open("rb") as note:
        if os.fstat(note.fileno()).st_uid != os.geteuid():
            return None
        match orjson.loads(note.read(_LONGEST_NOTE)):
            case [*identity, str() | None as state_dir, [*names]] if identity == _identity(file, environ, home):
                return state_dir, tuple(map(str, names))
    return None


def _note(file: Path, environ: Mapping[str, str], home: Path) -> Path:
    name = f"{binascii.crc32(os.fsencode(file)):08x}.json"
    return _base(environ, "XDG_CACHE_HOME", home / ".cache") / "greenroom" / name


def _identity(file: Path, environ: Mapping[str, str], home: Path) -> list[object]:
    """What the state directory follows from: the file as it is now, and what a relative or missing path begins with."""
    found, usual = file.stat(), usual_state_directory(environ, home)
    return [
        str(file),
        str(home),
        str(usual),
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    ]


def _base(environ: Mapping[str, str], variable: str, default: Path) -> Path:
    base = Path(environ.get(variable) or "")
    return base if base.is_absolute() else default
