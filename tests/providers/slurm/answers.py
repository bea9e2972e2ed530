"""A Slurm of canned answers: what each command prints, by its name, and which calls there were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.providers.slurm.cluster import Cluster
from actors.providers.slurm.commands import Answer
from actors.providers.slurm.finding import Finder
from actors.providers.slurm.records import Records
from actors.providers.slurm.squeue import FORMAT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = "MinJobAge               = 300 sec\nMessageTimeout          = 10 sec\nSLURM_VERSION           = 22.05.8\n"
NO_ACCOUNTING = Answer(1, "", "Slurm accounting storage is disabled")


def line(job_id: object, state: str, comment: str, *, reason: str = "None", nodes: str = "", end: str = "N/A") -> str:
    """What squeue prints of a job."""
    values = {"%i": job_id, "%T": state, "%S": "2026-03-01T11:00:00", "%e": end, "%N": nodes, "%r": reason}
    return "|".join(str({**values, "%k": comment}[name]) for name in FORMAT.split("|"))


@attrs.define
class Canned:
    """Answers of the commands; an exception is raised instead."""

    user: int = 1000
    squeue: str = ""
    sacct: Answer = NO_ACCOUNTING
    sbatch: Answer | Exception = Answer(0, "7\n", "")  # noqa: RUF009 - it is frozen
    nodes: str = ""
    job: str = ""
    fails: dict[str, Exception] = attrs.field(factory=dict)
    calls: list[tuple[str, ...]] = attrs.field(factory=list)

    def found(self, program: str) -> str:
        return f"/usr/bin/{program}"

    async def run(self, program: str, *arguments: str, **_options: Any) -> Answer:
        await trio.lowlevel.checkpoint()
        self.calls.append((program, *arguments))
        if program in self.fails:
            raise self.fails[program]
        match program, arguments:
            case "squeue", _:
                return Answer(0, self.squeue, "")
            case "scontrol", (*_, "config"):
                return Answer(0, CONFIG, "")
            case "scontrol", (_, "show", "node", _):
                return Answer(0, self.nodes, "")
            case "scontrol", (_, "show", "job", _):
                return Answer(0, self.job, "")
            case "sacct", _:
                return self.sacct
            case "sbatch", _:
                if isinstance(self.sbatch, Exception):
                    raise self.sbatch
                return self.sbatch
        return Answer(0, "", "")

    def named(self, program: str) -> list[tuple[str, ...]]:
        """The arguments of each call of ``program``."""
        return [arguments for name, *arguments in self.calls if name == program]  # type: ignore[misc]


class Inline:
    """Runs what blocks at once: a mock clock would jump while a thread works."""

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return function(*arguments)


def finder_at(path: Path, canned: Canned, now: Callable[[], datetime] = lambda: NOW) -> tuple[Finder, Records]:
    """A finder of this cluster, and its records."""
    records = Records(path / "shared", path / "locks")
    records.make(NOW)
    cluster = Cluster("slurm", canned)  # type: ignore[arg-type]
    return Finder(cluster, records, Inline(), 60.0, now), records  # type: ignore[arg-type]
