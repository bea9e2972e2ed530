"""What a sweep runs again and again: five jobs, one for each way to end, and what must be true of them afterwards.

``done`` and ``fails`` end by themselves, ``long`` is cancelled while it runs, ``asked`` waits for an approval and gets
it, ``late`` waits for one and expires. Every run submits all five; those that are known are found again.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import trio

from actors.cli.offline import open_reading
from actors.job_requests.job_request import request_from_mapping
from actors.jobs.options import PollerOptions
from actors.jobs.records import ApprovalRequest, ApprovalStatus, Event, JobStatus
from actors.jobs.refusal import Refused
from actors.jobs.views import JobView
from actors.providers.local.directory import job_directories
from actors.providers.local.liveness import Standing, look
from actors.runtime import RunningRuntime, open_runtime
from actors.settings import Background
from actors.simulation.audit import Replay
from actors.store.state_directory import DATABASE, LOG
from logconf import configure_structured_logging
from tests.kills.supervisor import settings_of
from tests.providers.local.stage import is_alive, until

SCRIPTS = {
    "done": 'echo "start done" >>"$0"; echo "end done" >>"$0"',
    "fails": 'echo "start fails" >>"$0"; echo "end fails" >>"$0"; exit 3',
    "long": 'echo "start long" >>"$0"; exec sleep 60',
    "asked": 'echo "start asked" >>"$0"; echo "end asked" >>"$0"',
    "late": 'echo "start late" >>"$0"',
}
ENDS = {
    "done": JobStatus.COMPLETED, "fails": JobStatus.FAILED, "long": JobStatus.CANCELLED,
    "asked": JobStatus.COMPLETED, "late": JobStatus.CANCELLED,
}  # fmt: skip
LINES = Counter(
    ["start done", "end done", "start fails", "end fails", "start long", "start asked", "end asked"]
)  # fmt: skip
BEAT = 2.0  # seconds after which the poller looks again: what a disk refused is tried again then
OPEN_FOR = 0.3  # seconds in which nobody approves of the late one


@attrs.frozen
class Place:
    """One state directory, and beside it what jobs and clients wrote down."""

    path: Path

    @property
    def state_dir(self) -> Path:
        return self.path / "state"

    @property
    def record(self) -> Path:
        """A line for each start and end of a job, by the jobs."""
        return self.path / "record"

    @property
    def acknowledged(self) -> Path:
        """A line for each answer that the client got: ``submitted KEY ID``, ``approved ID``, ``cancelled ID``."""
        return self.path / "acknowledged"

    def lines(self, path: Path) -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    def note(self, *words: str) -> None:
        """Write down an answer, in one write."""
        descriptor = os.open(self.acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{' '.join(words)}\n".encode())
        os.close(descriptor)


def supervise(place: Place) -> None:
    """One supervisor with its client, from its start to the end of all jobs."""
    log = place.state_dir / LOG
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    configure_structured_logging("INFO", True, str(log), stream=None)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    trio.run(_live, place)


async def _live(place: Place) -> None:
    settings = attrs.evolve(settings_of(place.state_dir), background=Background(PollerOptions(interval_seconds=BEAT)))
    async with open_runtime(settings) as runtime:
        ids = await _submit(place, runtime, "done", "fails", "long", "asked")
        runtime.ledger.approvals = attrs.evolve(runtime.ledger.approvals, timeout_hours=OPEN_FOR / 3600)
        ids |= await _submit(place, runtime, "late")
        for request in await runtime.approvals.page(statuses=[ApprovalStatus.PENDING]):
            if request.job_id == ids["asked"]:
                await runtime.approve(request.approval_id, by="bo")
                place.note("approved", ids["asked"])
        await until(lambda: "start long" in place.lines(place.record))
        with suppress(Refused):  # it has ended already: a former client's wish, or only now
            await runtime.cancel(ids["long"], by="ana")
            place.note("cancelled", ids["long"])
        for job_id in ids.values():
            await runtime.wait(job_id)
        with suppress(Refused):  # as it must be
            await runtime.approve(ids["late"], by="bo")
            place.note("approved", ids["late"])


async def _submit(place: Place, runtime: RunningRuntime, *names: str) -> dict[str, str]:
    asks = {"asked", "late"}
    requests = [
        request_from_mapping(
            {
                "command": ["/bin/sh", "-c", SCRIPTS[name], str(place.record)],
                "user_id": f"user-{name}",
                "idempotency_key": name,
                **({"requires_approval": "to be looked at"} if name in asks else {}),
            }
        )
        for name in names
    ]
    ids = {}
    for name, accepted in zip(names, await runtime.jobs.submit_many(requests), strict=True):
        ids[name] = accepted.job.job_id
        place.note("submitted", name, accepted.job.job_id)
    return ids


# Afterwards.


async def broken_promises(place: Place) -> list[str]:
    """What is not as it must be, once all jobs have ended and no supervisor runs."""
    async with open_reading(settings_of(place.state_dir)) as reading:
        views = await reading.jobs.page(limit=1000)
        events = await reading.event_reader.past_events(limit=100_000)
        approvals = await reading.approvals.page(limit=1000)
    return [
        *_jobs(place, views),
        *_acknowledged(place, views, approvals),
        *_approvals(views, approvals),
        *_told(views, events),
        *_left_over(place),
    ]


def _jobs(place: Place, views: list[JobView]) -> Iterator[str]:
    statuses = {view.job.request.idempotency_key: view.job.status for view in views}
    if statuses != ENDS or len(views) != len(ENDS):
        yield f"each job once, at its own end: {sorted(statuses.items(), key=str)}, {len(views)} jobs"
    if (lines := Counter(place.lines(place.record))) != LINES:
        yield f"each job runs once: {dict(lines)}"


def _acknowledged(place: Place, views: list[JobView], approvals: list[ApprovalRequest]) -> Iterator[str]:
    ids = {view.job.job_id for view in views}
    granted = {request.job_id for request in approvals if request.status is ApprovalStatus.APPROVED}
    cancelled = {view.job.job_id for view in views if view.job.status is JobStatus.CANCELLED}
    held = {"submitted": ids, "approved": granted, "cancelled": cancelled}
    for line in place.lines(place.acknowledged):
        what, *_, job_id = line.split()
        if job_id not in held[what]:
            yield f"what was acknowledged is there: {line}"


def _approvals(views: list[JobView], approvals: list[ApprovalRequest]) -> Iterator[str]:
    names = {view.job.job_id: view.job.request.idempotency_key for view in views}
    found = {names[request.job_id]: request.status for request in approvals}
    if found != {"asked": ApprovalStatus.APPROVED, "late": ApprovalStatus.EXPIRED}:
        yield f"one end for each approval: {found}"
    for one in approvals:
        if one.status is ApprovalStatus.APPROVED and not (one.decided_at and one.decided_at < one.expires_at):
            yield f"no approval after its deadline: {one}"


def _told(views: list[JobView], events: list[Event]) -> Iterator[str]:
    faults: list[str] = []
    replay = Replay(lambda holds, rule, how: None if holds else faults.append(f"{rule}: {how}"))
    for event in events:
        replay.feed(event)
    yield from faults
    for view in views:
        told = replay.jobs.get(view.job.job_id)
        if told is None or told.state != (view.job.status, view.entry.status):
            yield f"the replay of events equals the table: {told}, {view.job.status}, {view.entry.status}"


def _left_over(place: Place) -> Iterator[str]:
    for directory in job_directories(place.state_dir / "providers" / "local" / "jobs"):
        seen = look(directory)
        if seen.standing is not Standing.ENDED or (seen.run is not None and is_alive(seen.run["child"])):
            yield f"nothing is left running: {directory.key} is {seen.standing}"
    connection = sqlite3.connect(place.state_dir / DATABASE)
    try:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
    finally:
        connection.close()
    if verdict != "ok":
        yield f"the database is whole: {verdict}"
