"""Reads what a shim wrote. The job may have forged it, so each value has the right type or is not used."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import attrs

from actors.providers.json_reading import json_object
from actors.providers.local.directory import JobDirectory, opened_folder, read_record
from actors.providers.local.shim.files import MOST_RECORD, NotPlain, read_plain

MOST_NOTE = 2 * MOST_RECORD
_MOST_PID = 2**31 - 1
_MOST_TICKS = 2**63 - 1
_MOST_NUMBER = 2**53
_EARLIEST = 1e9  # seconds: 2001
_AHEAD = 86_400.0  # seconds that a clock may be ahead of ours
_LONGEST = 4096  # characters of a text in a record


@attrs.frozen
class Note:
    """What stands where the job does not write (:class:`.shim.job.Note`): who runs it, how it ended. None: nothing."""

    run: Mapping[str, Any] | None = None
    exit: Mapping[str, Any] | None = None


def checked_run(found: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return who runs the job. Raises ValueError where ``found`` is not such a record."""
    for name in ("shim", "child"):
        if not _is_whole(found.get(name), 1, _MOST_PID):
            raise ValueError(f"{file}: {name} is no process number")
    for name in ("shim_ticks", "child_ticks"):
        if found.get(name) is not None and not _is_whole(found[name], -1, _MOST_TICKS):
            raise ValueError(f"{file}: {name} is not a number")
    if not isinstance(found.get("boot_id"), str):
        raise ValueError(f"{file}: boot_id is not text")
    return {**found, "started_at": moment(found.get("started_at"))}


def checked_exit(found: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return how the job ended. Raises ValueError where ``found`` does not say that."""
    record = {name: read(found.get(name)) for name, read in _EXIT.items()}
    if record["code"] is record["signal"] is None and not (record["failure"] or record["cancelled"]):
        raise ValueError(f"{file} does not say how the job ended")
    return record


def read_checked(
    path: Path, checked: Callable[[Mapping[str, Any], str], dict[str, Any]]
) -> tuple[dict[str, Any] | None, str]:
    """Return the record in ``path`` (None: there is none), and why what is there cannot be believed. Raises OSError."""
    try:
        found = read_record(path)
        return (None if found is None else checked(found, path.name)), ""
    except ValueError as error:
        return None, str(error)


def read_note(directory: JobDirectory) -> Note:
    """Return what the shim noted beside the directory: nothing where the program was not started. Raises OSError."""
    try:
        with opened_folder(directory.started.parent) as folder:
            first, _, second = read_plain(folder, directory.started.name, MOST_NOTE).partition(b"\n")
    except (FileNotFoundError, NotPlain):
        return Note()
    run, end = json_object(first), json_object(second)
    with suppress(ValueError):
        checked = checked_run(run or {}, directory.started.name)
        with suppress(ValueError):
            return Note(checked, checked_exit(end or {}, directory.started.name))
        return Note(checked)
    return Note()


def moment(value: object) -> float | None:
    """Return a time as seconds since 1970, or None where it makes no sense.

    A forged time must not be far in the future.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if _EARLIEST <= value <= time.time() + _AHEAD else None


def text(value: object, otherwise: str = "?") -> str:
    """Return ``value``, shortened, if it is a text; else ``otherwise``."""
    return value[:_LONGEST] if isinstance(value, str) else otherwise


def _failure(value: object) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or not value:
        return None
    names = [name for name in ("reason", "file", "interpreter") if isinstance(value.get(name), str)]
    return {
        "stage": text(value.get("stage"), "start"),
        "errno": _whole(0, 4095)(value.get("errno")),
        **{name: text(value[name]) for name in names},
    }


def _counts(value: object) -> list[dict[str, int | None]] | None:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, Mapping) for one in value):
        return None
    count = _whole(0, _MOST_NUMBER)
    return [{name: count(one.get(name)) for name in ("group", "machine")} for one in value]


def _whole(least: int, most: int) -> Callable[[object], int | None]:
    """Return a function that reads a whole number between the two limits, and gives None for anything else."""
    return lambda value: cast("int", value) if _is_whole(value, least, most) else None


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_EXIT: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(("cancelled", "timed_out", "killed_after_grace", "told_to_stop"), lambda value: value is True),
    "code": _whole(0, 255),
    "signal": _whole(1, 64),
    "failure": _failure,
    "oom_kills": _counts,
    **dict.fromkeys(("started_at", "ended_at"), moment),
}
"""How each field of an exit record is read. A value that makes no sense becomes None or false."""
