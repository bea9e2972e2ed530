"""Slurm's own commands behind programs of the same names, which do as a test tells them at one call of one of them.

A fault is a piece of shell that runs in place of the command, once: ``$real`` is the command, ``"$@"`` its arguments.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import attrs

from tests.providers.local.stage import until
from tests.providers.slurm.cluster import Cluster

NAMES = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct")

_PROGRAM = """#!/bin/sh
folder={folder} name={name} real={real}
echo "$name" >> "$folder/calls"
for fault in "$folder/faults/$name".*; do
    if mv "$fault" "$folder/taken/${{fault##*/}}.$$" 2>/dev/null; then  # one call takes it, whoever else comes
        . "$folder/taken/${{fault##*/}}.$$"
        exit
    fi
done
exec "$real" "$@"
"""


@attrs.define
class Commands:
    """A directory for the provider's option ``path``."""

    folder: Path
    _cluster: Cluster
    _faults: int = 0

    @classmethod
    def in_folder(cls, folder: Path, cluster: Cluster) -> Commands:
        for name in ("bin", "faults", "taken", "held"):
            (folder / name).mkdir(parents=True)
        for name in NAMES:
            real = shutil.which(name, path=cluster.environ["PATH"])
            if real is not None:
                program = folder / "bin" / name
                values = {"folder": str(folder), "name": name, "real": real}
                program.write_text(_PROGRAM.format(**{key: shlex.quote(value) for key, value in values.items()}))
                program.chmod(0o755)
        return cls(folder, cluster)

    @property
    def path(self) -> Path:
        return self.folder / "bin"

    def strike(self, name: str, fault: str, times: int = 1) -> None:
        """Have the next ``times`` calls of the command ``name`` run ``fault`` instead. They are taken in this order."""
        for _ in range(times):
            self._faults += 1
            written = self.folder / f"fault-{self._faults}"
            written.write_text(fault + "\n")
            written.rename(self.folder / "faults" / f"{name}.{self._faults:06}")

    def calls(self, name: str) -> int:
        """How often the command was called."""
        calls = self.folder / "calls"
        return calls.read_text().split().count(name) if calls.exists() else 0

    def strikes(self) -> int:
        """How many faults have met a call."""
        return sum(1 for _ in (self.folder / "taken").iterdir())

    async def struck(self, times: int = 1) -> None:
        """Wait until so many faults have met a call."""
        await until(lambda: self.strikes() >= times)

    async def deliver(self) -> str:
        """Send what :data:`KEPT_BACK` has kept, as a network or a controller under load would; Slurm's answer."""
        argv = (self.folder / "held" / "argv").read_text().split("\0")[:-1]
        return await self._cluster.run("sbatch", *argv, script=(self.folder / "held" / "script").read_text())


def error(text: str, status: int = 1) -> str:
    """The command does nothing and says that it failed."""
    return f"echo {shlex.quote(text)} >&2; exit {status}"


def acts(then: str) -> str:
    """The command does its work; its answer is lost, and ``then`` comes instead."""
    return f'"$real" "$@" >/dev/null 2>&1; {then}'


SUBMISSION_TIMED_OUT = error("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
NO_CONTROLLER = error("slurm_load_jobs error: Unable to contact slurm controller (connect failure)")
KILLED = "kill -9 $$"
HANGS = "exec sleep 1000"


KEPT_BACK = 'printf "%s\\0" "$@" > "$folder/held/argv"; cat > "$folder/held/script"; ' + SUBMISSION_TIMED_OUT
"""``sbatch`` times out; :meth:`Commands.deliver` has its request reach the controller all the same, later."""


def waits_for(go: Path) -> str:
    """``sbatch`` does nothing before the file ``go`` appears."""
    return f'until [ -e {shlex.quote(str(go))} ]; do sleep 0.02; done; exec "$real" "$@"'
