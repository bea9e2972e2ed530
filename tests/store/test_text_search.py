"""A search by text finds what comparing every job with it finds, whether jobs are in the index or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import trio
from sqlalchemy import Connection, delete, select, update

from actors.jobs.ids import IdFactory
from actors.jobs.records import Job, JobRequest, JobStatus
from actors.kernel import VirtualClock
from actors.store import InlineExecutor, Store, dialect, jobs, text_search
from actors.store.errors import StoreError
from actors.store.schema import jobs as rows

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = ("train.yaml", "TRAIN-2.yaml", 'quo"ted', "a AND b", "50%_done", "back\\slash", "no such", "café", "ab", "x'y")
ERRORS = (None, "exited with code 1", "CUDA out of memory", "NEAR(train)", "a* OR -b", "out of disk")
TEXTS = (
    "train", "Train", "rai", 'o"t', '"', "a AND", "AND b", "50%", "%_d", "k\\s", "such", "caf", "afé", "code 1",
    "out of", "OR -b", "a* ", "NEAR(",
    "x'y", "ana", "user-3", "xyz", "trainx", "memory  ", "ab", "01h", "zz", "0", "é", " ",
)  # fmt: skip
ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)


def some(number: int) -> list[Job]:
    """Jobs of which several have the same millisecond; every seventh has not ended."""
    random, ids = Random(1), IdFactory(Random(2).getrandbits)
    found = []
    for at in range(number):
        moment = NOW + timedelta(milliseconds=at // 3)
        request = JobRequest(provider="scripted", user_id=f"user-{at % 5}", config_name=random.choice(NAMES))
        status = JobStatus.PENDING if at % 7 == 0 else random.choice(ENDED)
        error = random.choice(ERRORS) if status is JobStatus.FAILED else None
        found.append(Job(ids.new(moment), status, "scripted", "c", request, moment, moment, error_message=error))
    return found


def texts_of(job: Job, text: str) -> list[str]:
    """Those in which a text is looked for: a short one not in errors."""
    searched = [job.job_id, job.request.user_id, job.request.config_name]
    return [one for one in (*searched, job.error_message if len(text) > 2 else None) if one]


def lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def holding(all_jobs: list[Job], text: str) -> list[str]:
    """The ids of the jobs that hold a text, the newest first."""
    return [job.job_id for job in reversed(all_jobs) if any(lower(text) in lower(one) for one in texts_of(job, text))]


@pytest.fixture
async def store() -> Any:
    store = Store(None, executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    yield store
    await store.aclose()


def found(connection: Connection, text: str, limit: int, **filters: Any) -> list[str]:
    """All pages."""
    ids: list[str] = []
    more = True
    while more:
        page, more = jobs.page(connection, before=ids[-1] if ids else None, limit=limit, text=text, **filters)
        assert len(page) <= limit
        ids += [job.job_id for job in page]
    return ids


@pytest.mark.parametrize("indexed", [0, 100, 1_000])
async def test_the_index_changes_nothing_that_is_found(store, indexed):
    all_jobs = some(200)

    def search(tx):
        jobs.add(tx.connection, all_jobs)
        text_search.fill(tx.connection, indexed)
        for text in TEXTS:
            assert found(tx.connection, text, 40) == holding(all_jobs, text), text
            theirs = [job for job in all_jobs if job.request.user_id == "user-3" and job.status in ENDED]
            assert found(tx.connection, text, 40, user_id="user-3", statuses=ENDED) == holding(theirs, text), text

    await store.write(search)


@pytest.mark.parametrize("filters", [{}, {"statuses": (JobStatus.FAILED,)}, {"user_id": "u"}, {"org_id": "o"}], ids=str)
async def test_ended_jobs_that_are_not_in_the_index_are_found_by_an_index_of_their_own(store, filters):
    """All ended jobs would be read otherwise, a million of them with each search and each look of the filler."""

    def look(tx):
        driver = tx.connection.connection.driver_connection
        seen: list[str] = []
        driver.set_trace_callback(seen.append)
        jobs.page(tx.connection, limit=10, text="train", **filters)
        text_search.number_missing(tx.connection, 10)
        driver.set_trace_callback(None)
        of_these = [one for one in seen if "text_place IS NULL" in one]
        assert len(of_these) == 2
        for one in of_these:
            lines = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {one}")]
            assert any("jobs_not_in_text_index" in line for line in lines), lines

    await store.write(look)


async def test_a_text_that_changes_is_found_as_it_is_now(store):
    all_jobs = some(50)

    def search(tx):
        jobs.add(tx.connection, all_jobs)
        while text_search.fill(tx.connection, 10):
            pass
        changed = next(job for job in all_jobs if job.status is JobStatus.FAILED)
        tx.connection.execute(update(rows).where(rows.c.job_id == changed.job_id).values(error_message="a new word"))
        assert found(tx.connection, "new word", 10) == [changed.job_id]
        assert text_search.fill(tx.connection, 10) == 1, "it left the index and comes back"
        assert found(tx.connection, "new word", 10) == [changed.job_id]

    await store.write(search)


async def test_what_is_removed_leaves_the_index(store):
    all_jobs = some(50)

    def search(tx):
        jobs.add(tx.connection, all_jobs)
        text_search.fill(tx.connection, 1_000)
        places = "SELECT count(*) FROM job_texts WHERE job_texts MATCH 'use'"
        assert tx.connection.exec_driver_sql(places).scalar_one() > 40
        tx.connection.execute(delete(rows))
        assert tx.connection.exec_driver_sql(places).scalar_one() == 0
        assert jobs.counts(tx.connection) == {}

    await store.write(search)


async def test_jobs_of_one_millisecond_have_places_of_their_own(store):
    all_jobs = some(30)

    def places(tx):
        jobs.add(tx.connection, all_jobs)
        while text_search.fill(tx.connection, 1):
            pass
        return list(tx.connection.execute(select(rows.c.text_place).where(rows.c.text_place.is_not(None))).scalars())

    given = await store.write(places)
    assert len(set(given)) == len(given) == len([job for job in all_jobs if job.status in ENDED])


async def test_jobs_of_a_clock_that_was_far_ahead_have_places_and_are_found(store):
    """SQLite's integers end: places of a later millisecond than fits are those of the last one that does."""
    moment, ids = datetime(9999, 1, 1, tzinfo=UTC), IdFactory(Random(3).getrandbits)
    request = JobRequest(provider="scripted", user_id="ana", config_name="far.yaml")
    ahead = [Job(ids.new(moment), JobStatus.COMPLETED, "scripted", "c", request, NOW, NOW) for _ in range(3)]

    def search(tx):
        jobs.add(tx.connection, ahead)
        assert text_search.fill(tx.connection, 10) == 3
        newest_first = sorted((job.job_id for job in ahead), reverse=True)
        assert found(tx.connection, "far.yaml", 10) == newest_first
        older, _ = jobs.page(tx.connection, text="far.yaml", before=newest_first[0])
        assert [job.job_id for job in older] == newest_first[1:]

    await store.write(search)


async def test_an_index_that_cannot_be_filled_is_one_warning(store, autojump_clock, caplog, monkeypatch):
    def fail(*_args):
        raise StoreError("the index is damaged")

    monkeypatch.setattr(text_search, "number_missing", fail)
    with trio.move_on_after(10 * text_search._LOOK):
        await text_search.keep_filled(store)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["The index of texts could not be filled: the index is damaged"]


async def test_an_id_is_found_by_its_beginning_and_by_its_end(store):
    all_jobs = some(200)

    def ids_of(tx, part, **more):
        return dialect.matching(tx.connection, rows.c.job_id, part, **more)

    def look(tx):
        jobs.add(tx.connection, all_jobs)
        for job in all_jobs[::20]:
            for length in (6, 8, 9, 12, 26):
                assert ids_of(tx, job.job_id[-length:]) == [job.job_id]
            assert ids_of(tx, job.job_id[-5:]) == ids_of(tx, job.job_id[:5]) == []
            assert job.job_id in ids_of(tx, job.job_id[:25], limit=20)
        assert ids_of(tx, "%") == ids_of(tx, "_" * 9) == []

    await store.write(look)


def number_of_parts(connection: Connection) -> int:
    return connection.exec_driver_sql("SELECT count(DISTINCT segid) FROM job_texts_idx").scalar_one()


async def test_the_parts_of_the_index_are_merged_by_themselves_only(store):
    """Not in the transaction that makes one part too many, which would take ten times as long."""
    all_jobs = some(60)
    await store.write(lambda tx: jobs.add(tx.connection, all_jobs))
    parts = []
    while await store.write(lambda tx: text_search.fill(tx.connection, 1)):
        parts.append(await store.read(number_of_parts))
    assert parts == list(range(1, len(parts) + 1))
    rounds = 0
    while await store.write(lambda tx: text_search.merge(tx.connection)):
        rounds += 1
        assert rounds < 1_000
    assert rounds > 0
    assert await store.read(number_of_parts) <= 8
    for text in TEXTS:
        assert await store.read(lambda connection, text=text: found(connection, text, 7)) == holding(all_jobs, text)
