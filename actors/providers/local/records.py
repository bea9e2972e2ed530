"""What a shim writes down, read as what a job may have forged: right in its types, or not at all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

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
_FLAGS = ("cancelled", "timed_out", "killed_after_grace", "told_to_stop")


@attrs.frozen
class Note:
    """What stands where the job does not write (:mod:`.shim.note`): who runs it, and how it ended; None: not noted."""

    run: Mapping[str, Any] | None = None
    exit: Mapping[str, Any] | None = None


def read_run(path: Path) -> dict[str, Any] | None:
    """Who runs the job; None: not written. Raises ValueError where it is no such record."""
    found = read_record(path)
    return None if found is None else _checked_run(found, path.name)


def _checked_run(found: Mapping[str, Any], file: str) -> dict[str, Any]:
    for name in ("shim", "child"):
        if not _is_whole(found.get(name), 1, _MOST_PID):
            raise ValueError(f"{file}: {name} is no process number")
    for name in ("shim_ticks", "child_ticks"):
        if found.get(name) is not None and not _is_whole(found[name], -1, _MOST_TICKS):
            raise ValueError(f"{file}: {name} is no number")
    if not isinstance(found.get("boot_id"), str):
        raise ValueError(f"{file}: boot_id is no text")
    return {**found, "started_at": moment(found.get("started_at"))}


def read_exit(path: Path) -> dict[str, Any] | None:
    """How the job ended; None: not written. Raises ValueError where it does not say that."""
    found = read_record(path)
    return None if found is None else _checked_exit(found, path.name)


def _checked_exit(found: Mapping[str, Any], file: str) -> dict[str, Any]:
    record: dict[str, Any] = {name: found.get(name) is True for name in _FLAGS}
    record["code"] = found["code"] if _is_whole(found.get("code"), 0, 255) else None
    record["signal"] = found["signal"] if _is_whole(found.get("signal"), 1, 64) else None
    record["failure"] = _failure(found.get("failure"))
    record["oom_kills"] = _counts(found.get("oom_kills"))
    for name in ("started_at", "ended_at"):
        record[name] = moment(found.get(name))
    if record["code"] is record["signal"] is None and not (record["failure"] or record["cancelled"]):
        raise ValueError(f"{file} does not say how the job ended")
    return record


def read_note(directory: JobDirectory) -> Note:
    """What the shim has noted beside the directory. Nothing where the program was not let go. Raises OSError."""
    try:
        with opened_folder(directory.started.parent) as folder:
            first, _, second = read_plain(folder, directory.started.name, MOST_NOTE).partition(b"\n")
    except (FileNotFoundError, NotPlain):
        return Note()
    run, end = json_object(first), json_object(second)
    with suppress(ValueError):
        checked = _checked_run(run or {}, directory.started.name)
        with suppress(ValueError):
            return Note(checked, _checked_exit(end or {}, directory.started.name))
        return Note(checked)
    return Note()


def moment(value: object) -> float | None:
    """Seconds since 1970 that can be meant, else None: a time of a job's own making must not reach far ahead."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if _EARLIEST <= value <= time.time() + _AHEAD else None


def text(value: object, otherwise: str = "?") -> str:
    """``value`` if it is a text, cut; else ``otherwise``."""
    return value[:_LONGEST] if isinstance(value, str) else otherwise


def _failure(value: object) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or not value:
        return None
    names = [name for name in ("reason", "file", "interpreter") if isinstance(value.get(name), str)]
    return {
        "stage": text(value.get("stage"), "start"),
        "errno": value["errno"] if _is_whole(value.get("errno"), 0, 4095) else None,
        **{name: text(value[name]) for name in names},
    }


def _counts(value: object) -> list[dict[str, int | None]] | None:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, Mapping) for one in value):
        return None
    return [
        {name: one[name] if _is_whole(one.get(name), 0, _MOST_NUMBER) else None for name in ("group", "machine")}
        for one in value
    ]


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
