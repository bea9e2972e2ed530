"""The plan of a run, and the data that it shows: its jobs, the queue and the actors, as documents."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from actors.control.runtime import Runtime
from actors.documents.common import as_read
from actors.documents.jobs import job_document
from actors.documents.queue import queue_document
from actors.documents.series import compared_document
from actors.jobs.events import EventType
from actors.jobs.refusal import Refused
from actors.settings.variable_names import HOME

if TYPE_CHECKING:
    from actors.job_requests.job_file import JobFile
    from actors.jobs.file_rules import Again
    from actors.settings import Settings

_WAITING_SHOWN = 50
_GROUPS_SHOWN = 10
_COMPARED = 200
_AT_ONCE = 500
_QUEUE_ROW = "reason", "setting", "position", "queue_status"


@attrs.frozen
class Plan:
    """What one run should do."""

    settings: Settings
    config: str | None = None
    job_file: JobFile | None = None
    until_idle: bool = False
    approve_as: str | None = None
    fail_on_failure: bool = False
    again: Again = "none"
    check: bool = True

    def typed(self, *words: str) -> str:
        """A command with this plan's settings, which can be pasted into another terminal in the same directory."""
        program = Path(sys.argv[0]).absolute()
        start = [sys.executable, "-m", "actors"]
        if program.name == "greenroom":
            start = [str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)]
        home = os.environ.get(HOME)
        variable = "" if home is None else f"{HOME}={shlex.quote(home)} "
        return variable + shlex.join([*start, *words, *(() if self.config is None else ("--config", self.config))])


class Board:
    """The data that a run shows. Events update it: only jobs that changed are read again.

    ``notes``: what a person should know about this run. ``comparisons``: for each group of the file its owner, its name
    and its jobs side by side, once they were read.
    """

    def __init__(self) -> None:
        self.queue: dict[str, Any] = {}
        self.tree: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._jobs: dict[str, dict[str, Any]] = {}
        self.comparisons: list[tuple[str, str, list[Any]]] = []
        self._of_file: frozenset[str] = frozenset()
        self._changed: set[str] = set()

    def begin_with(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Begin with the jobs of the submitted file, in its order."""
        self.add(jobs)
        self._of_file = frozenset(self._jobs)

    def add(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Add jobs that exist already; they are read once more, because they may have changed since."""
        for job in jobs:
            self._jobs.setdefault(job["job_id"], dict(job))
            self._changed.add(job["job_id"])

    def is_of_file(self, job_id: str) -> bool:
        """Whether this job came with the file."""
        return job_id in self._of_file

    def note(self, event: Mapping[str, Any]) -> bool:
        """Record an event. Returns whether it is news: that a job of the file was submitted is none."""
        job_id = event.get("job_id")
        if job_id is None:
            return True
        self._changed.add(job_id)
        return not (event["type"] == EventType.JOB_QUEUED and job_id in self._of_file)

    async def compare(self, runtime: Runtime) -> None:
        """Read the groups of the file's jobs, each with its owner, and their jobs side by side."""
        jobs = self.jobs() if self._of_file else []
        groups = dict.fromkeys((job["user_id"], job["group"]) for job in jobs if job.get("group"))
        for user, group in list(groups)[:_GROUPS_SHOWN]:
            with suppress(Refused):  # its jobs were removed since
                page = await runtime.series.compare(group, user, limit=_COMPARED)
                self.comparisons.append((user, group, as_read([compared_document(one) for one in page])))

    async def refresh(self, runtime: Runtime, *, everything: bool = False) -> None:
        """Read what changed, what waits and why, and the tree; ``everything``: all jobs that have not ended.

        If many jobs changed, some are read now and the others the next time.
        """
        if everything:
            self._changed.update(id_ for id_, job in self._jobs.items() if job["completed_at"] is None)
        for job_id in sorted(self._changed)[: None if everything else _AT_ONCE]:
            try:
                self._jobs[job_id] = as_read(job_document(await runtime.jobs.get(job_id)))
            except Refused:  # it was removed since
                self._jobs.pop(job_id, None)
            self._changed.discard(job_id)
        self.queue = as_read(queue_document(await runtime.queue.view(limit=_WAITING_SHOWN)))
        for waiting in self.queue["waiting"]:
            known = self._jobs.setdefault(waiting["job_id"], waiting)
            known.update({key: waiting[key] for key in _QUEUE_ROW})
        self.tree = runtime.tree.describe()

    def job(self, job_id: str) -> dict[str, Any] | None:
        """One job, if it is known."""
        return self._jobs.get(job_id)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs of this run: those of the file in its order, or all that changed while it ran."""
        if self._of_file:
            return [job for id_, job in self._jobs.items() if id_ in self._of_file]
        return list(self._jobs.values())

    def others(self) -> int:
        """How many jobs that are not of the file have not ended."""
        return sum(job["completed_at"] is None for id_, job in self._jobs.items() if id_ not in self._of_file)
