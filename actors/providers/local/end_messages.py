"""Makes one sentence for people out of the record of how a job ended."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.jobs.os_text import kept, printable
from actors.providers.local.shim.files import first_line

NOTE = "the script has Windows line ends (CRLF): convert it, for example with: sed -i 's/\\r$//' FILE"
STOPPED = "its shim was asked to stop (SIGTERM), but nobody requested a cancel"
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "zsh"})
REASON_LENGTH = 600  # characters of a reason in which names of the job's stand


def shown(text: str) -> str:
    """Return ``text`` as one printable line of limited length: the job itself may have chosen it."""
    line = printable(kept(text))
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def failure_message(record: Mapping[str, Any], argv: list[str], cwd: str) -> str:
    """Say why the program was never run."""
    failure = record["failure"]
    code = failure.get("errno") or 0
    reason = os.strerror(code).lower() if code else str(failure.get("reason", "unknown"))
    if failure["stage"] == "cwd":
        return f"the working directory {cwd} cannot be used: {reason}"
    if failure["stage"] != "exec":
        return f"the program could not be started: {reason}"
    program, file, interpreter = argv[0], failure.get("file"), failure.get("interpreter")
    if code == errno.ENOENT and file and interpreter and interpreter.endswith("\r"):
        return f"program {file}: {NOTE}"
    if code == errno.ENOENT and file and interpreter:
        return f"program {file}: the interpreter {interpreter} named in its first line does not exist"
    if code == errno.ENOENT:
        return f"program not found: {program}" + ("" if "/" in program else " (not in the job's PATH)")
    if code == errno.EACCES and file:
        return f"program {file} is not executable (chmod +x, or name its interpreter)"
    if code == errno.ENOEXEC:
        return f"program {file or program} is not a program of this machine (no #! line, or another architecture)"
    return f"program {file or program} could not be run: {reason}"


def end_message(record: Mapping[str, Any], last_line: str = "") -> str:
    """Say what ended a program that ran and did not succeed."""
    number, code = record.get("signal"), record.get("code")
    reason_given = f": {last_line}" if last_line else ""
    if number is None:
        return f"exit status {code}{_oom_note(record)}{reason_given}"
    name = f"killed by signal {number} ({_signal_name(number)})"
    if record.get("killed_after_grace") and number == signal.SIGKILL:
        return f"{name} after the grace time"
    if record.get("told_to_stop"):
        return f"{name}: {STOPPED}"
    if number == signal.SIGKILL:
        return f"{name}{_oom_message(record)}"
    return f"{name}{reason_given}"


def _oom_message(record: Mapping[str, Any]) -> str:
    group, machine = _oom_rise(record, "group"), _oom_rise(record, "machine")
    if group:
        return ": out of memory (the kernel ended it: its control group had none left)"
    if machine:
        return ": out of memory, most likely (the kernel ended processes because memory ran out while it ran)"
    return ", not by its supervisor; no sign that memory ran out"


def _oom_note(record: Mapping[str, Any]) -> str:
    if _oom_rise(record, "group"):
        return " after the kernel ended a process of its control group because memory ran out"
    return ""


def _oom_rise(record: Mapping[str, Any], which: str) -> int:
    counts: list[Mapping[str, int | None]] = record.get("oom_kills") or [{}, {}]
    before, after = counts[0].get(which), counts[1].get(which)
    return after - (before or 0) if after is not None else 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if number >= signal.SIGRTMIN else "unknown"


def has_windows_lines(program: str, cwd: str, path: str) -> bool:
    """Return whether the first line of ``program`` ends in CR LF. A name without a folder is looked up in ``path``."""
    folders = [cwd] if "/" in program else path.split(":")
    for folder in folders:
        line = first_line(str(Path(cwd, folder, program)))
        if line is not None:
            return line.startswith(b"#!") and line.endswith(b"\r")
    return False


def script_of_shell(argv: Sequence[str]) -> str:
    """Return the script that a shell was started with, or "" where the program is no shell, or has no script."""
    if not argv or os.path.basename(argv[0]) not in _SHELLS:  # noqa: PTH119 - a name, of which nothing is looked up
        return ""
    word = next((word for word in argv[1:] if not word.startswith("-") or word == "-c"), "")
    return "" if word == "-c" else word


def shell_stumbles(script: str, cwd: str) -> bool:
    """Return whether the first line of a shell's ``script`` ends in CR LF.

    A shell takes the CR as a part of each command.
    """
    line = first_line(str(Path(cwd, script))) if script else None
    return line is not None and line.endswith(b"\r")
