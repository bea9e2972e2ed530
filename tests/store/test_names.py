"""Lists and selections by name and group hold what comparing every job with them finds, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import product
from random import Random
from typing import Any

import pytest

from actors.jobs.ids import IdFactory
from actors.jobs.records import Job, JobRequest, JobStatus
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, jobs, names

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = ("train-1", "train-2", "train-10", "Train-1", "run[1]", "a/b", "ü", None, "train")
PATTERNS = (
    None,
    "*",
    "train-*",
    "train-?",
    "*-1",
    "[tT]rain-1",
    "[!t]*",
    "run[[]1]",
    "a/b",
    "ü",
    "x*",
    "*rain*1*",
    "train",
)
STATUSES = ((), (JobStatus.PENDING,), (JobStatus.FAILED, JobStatus.COMPLETED))


def some(number: int) -> list[Job]:
    random, ids = Random(3), IdFactory(Random(4).getrandbits)
    made = []
    for at in range(number):
        request = JobRequest(
            provider=random.choice(["one", "two"]), user_id=f"user-{at % 3}", config_name=random.choice(NAMES),
            group=random.choice([None, "sweep", "other"]),
        )  # fmt: skip
        moment = NOW + timedelta(minutes=at)
        status = random.choice(list(JobStatus))
        made.append(Job(ids.new(moment), status, request.provider, "c", request, moment, moment))
    return made


def fits(job: Job, asked: dict[str, Any]) -> bool:
    request, name = job.request, job.request.config_name
    return (
        asked["name"] is None or (name is not None and fnmatchcase(name, asked["name"]))
    ) and all(
        wanted is None or found == wanted
        for found, wanted in ((request.user_id, asked["user_id"]), (request.group, asked["group"]),
                              (request.provider, asked["provider"]))
    ) and (not asked["statuses"] or job.status in asked["statuses"]) and (
        asked["since"] is None or job.created_at >= asked["since"]
    )  # fmt: skip


@pytest.mark.parametrize("looked_through", [0, 10, 2_000])
async def test_every_list_holds_what_fits_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    """However far the newest jobs are looked through first."""
    monkeypatch.setattr(jobs, "_LOOKED_THROUGH", looked_through)
    store, made = Store(None, executor=InlineExecutor(), now=VirtualClock().now), some(150)
    await store.open()
    await store.write(lambda tx: jobs.add(tx.connection, made))
    every = product(PATTERNS, (None, "user-1"), (None, "sweep"), (None, "two"), STATUSES, (None, made[60].created_at))
    asked_for = Random(looked_through).sample(list(every), 60)

    def look(connection: Any) -> None:
        for name, user_id, group, provider, statuses, since in asked_for:
            asked = {
                "name": name,
                "user_id": user_id,
                "group": group,
                "provider": provider,
                "statuses": statuses,
                "since": since,
            }
            wanted = [job.job_id for job in reversed(made) if fits(job, asked)]
            found: list[str] = []
            more, before = True, None
            while more:
                page, more = jobs.page(connection, before=before, limit=7, **asked)
                found += [job.job_id for job in page]
                before = found[-1] if found else None
            assert found == wanted, asked
            chosen = jobs.choose(connection, 1_000, **asked)
            assert [one.job_id for one in chosen] == wanted, asked
            assert [one.job_id for one in jobs.choose(connection, 5, **asked)] == wanted[:5], asked

    await store.read(look)
    await store.aclose()


async def test_a_damaged_status_is_no_reason_to_lose_the_name() -> None:
    """Rows of a newer version are named, listed and chosen from all the same."""
    store, made = Store(None, executor=InlineExecutor(), now=VirtualClock().now), some(5)
    await store.open()
    await store.write(lambda tx: jobs.add(tx.connection, made))

    def change(tx: Any) -> Any:
        tx.connection.exec_driver_sql("UPDATE jobs SET status = 'novel'")
        return names.of_ids(tx.connection, [job.job_id for job in made])

    found = await store.write(change)
    assert {one.status for one in found.values()} == {"novel"}
    await store.aclose()
