"""Asks the driver for the GPUs of this machine. A line with an error message does not count as a GPU."""

from __future__ import annotations

import re
import shutil
import subprocess

import attrs

NVIDIA_SMI_SECONDS = 10.0
_NAME = re.compile(r"\bGPU-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_LONGEST = 200


@attrs.frozen
class FoundGpus:
    """``devices`` are their UUIDs, which never change for a device.

    ``fault`` is what the driver complained of ("": nothing).
    """

    devices: tuple[str, ...] = ()
    fault: str = ""


def find_gpus(program: str | None = None) -> FoundGpus:
    """Ask ``nvidia-smi`` (or ``program``), which may take seconds. Where there is no such program, there are no GPUs.

    Where the table of UUIDs is incomplete, the plain list is read too: one lost device can spoil the table.
    """
    program = program or shutil.which("nvidia-smi")
    if program is None:
        return FoundGpus()
    devices, fault = _asked(program, "--query-gpu=uuid", "--format=csv,noheader")
    if not fault:
        return FoundGpus(devices)
    more, _ = _asked(program, "-L")
    return FoundGpus(tuple(dict.fromkeys((*devices, *more))), fault)


def _asked(program: str, *arguments: str) -> tuple[tuple[str, ...], str]:
    """Return the UUIDs in the answer, and the first line that has none."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed argv
            [program, *arguments], capture_output=True, check=False, timeout=NVIDIA_SMI_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        return (), f"nvidia-smi cannot be run: {error}"[:_LONGEST]
    lines = [line.strip() for line in answer.stdout.decode(errors="replace").splitlines() if line.strip()]
    found = tuple(dict.fromkeys(match[0] for line in lines if (match := _NAME.search(line))))
    odd = [line for line in lines if not _NAME.search(line)]
    if answer.returncode and not odd:
        odd = [line.strip() for line in answer.stderr.decode(errors="replace").splitlines() if line.strip()]
        odd = odd or [f"status {answer.returncode}"]
    words = "".join(mark if mark.isprintable() else " " for mark in odd[0]) if odd else ""
    return found, f"nvidia-smi: {words}"[:_LONGEST] if words else ""
