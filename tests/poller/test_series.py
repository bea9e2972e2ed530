"""Series on their way into rows: rarely while a job runs, whole at its end, gone with the job."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import pairwise

import attrs
import pytest
import trio
from sqlalchemy import select

from actors.jobs.estimates import pairs_of
from actors.jobs.options import PollerOptions, SeriesOptions
from actors.jobs.records import Rerun
from actors.jobs.refusal import Refused
from actors.jobs.series_book import SeriesBook
from actors.poller.series_turns import WRITE_SECONDS
from actors.providers.base import Push
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.runtime import Parts
from actors.store import derived, series
from actors.testing import running_runtime, virtual_settings

LOSSES = [1 / step for step in range(1, 102)]
TRAINING = {"duration": 100, "progress": 100, "series": {"loss": LOSSES}}


async def points_of(runtime, job_id, name="loss"):
    _, found = await runtime.series.of_job(job_id)
    return found[name].points if name in found else []


@pytest.fixture
def writes(monkeypatch):
    """The moments at which series were written, in trio's time."""
    found = []
    really = series.put

    def noted(*arguments, **named):
        found.append(trio.current_time())
        return really(*arguments, **named)

    monkeypatch.setattr("actors.ledger.observe.series.put", noted)
    return found


async def test_series_are_written_every_ten_seconds_at_the_most_and_whole_at_the_end(autojump_clock, world, writes):
    async with world.open() as runtime:
        job = await world.submit(**TRAINING)
        await runtime.wait(job.job_id)
        gaps = [after - before for before, after in pairwise(writes[:-1])]
        assert min(gaps) >= WRITE_SECONDS
        assert 9 <= len(writes) <= 11
        assert await points_of(runtime, job.job_id) == [(step, LOSSES[step]) for step in range(101)]


async def test_what_was_held_back_is_written_though_nothing_more_comes(autojump_clock, world, writes):
    """The job is observed at 5 s and at 10 s, and by itself nothing would be before an hour has passed."""
    silent, seldom = ScriptedOptions(push=Push.NONE), PollerOptions(interval_seconds=3_600)
    async with world.open(options=silent, poller=seldom) as runtime:
        job = await world.submit(duration=3_600, progress=1_000, series={"loss": LOSSES})
        for _ in range(2):
            await trio.sleep(5)
            runtime.recheck("scripted", f"{job.job_id}-1")
        await trio.sleep(WRITE_SECONDS)
        assert writes == [5, 15]
        assert await points_of(runtime, job.job_id) == [(step, LOSSES[step]) for step in range(5)]


async def test_nothing_is_written_again_that_has_not_changed(autojump_clock, world, writes):
    async with world.open() as runtime:
        job = await world.submit(duration=3_600, progress=1, series={"loss": [4.0]})
        await trio.sleep(1_000)
        assert await points_of(runtime, job.job_id) == [(0, 4.0)]
        assert len(writes) == 1


async def test_the_next_runtime_goes_on_where_the_last_one_ended(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(**TRAINING)
        await trio.sleep(42)
    async with world.open() as runtime:
        job = await world.submit(**TRAINING)
        await runtime.wait(job.job_id)
        assert len(await points_of(runtime, job.job_id)) == 101


async def test_above_the_maximum_nothing_more_is_kept_and_one_warning_says_so(autojump_clock, world, caplog):
    settings = attrs.evolve(virtual_settings(), series=SeriesOptions(max_bytes=2_500))
    provider = ScriptedProvider(ScriptedOptions(), world.remote)
    async with running_runtime(
        settings=settings, parts=Parts(clock=world.clock, in_memory=True, providers=[provider])
    ) as runtime:
        world.runtime = runtime
        first, second = await world.submit(**TRAINING), await world.submit(**TRAINING, user_id="bo")
        await runtime.wait(first.job_id)
        await runtime.wait(second.job_id)
        kept = [len(await points_of(runtime, job.job_id)) for job in (first, second)]
        assert max(kept) < 101
        assert await runtime.ledger.read(derived.series_bytes) <= 2_500
    warned = [record for record in caplog.records if "series.max_bytes" in record.message]
    assert [record.levelname for record in warned] == ["WARNING"]


async def test_a_series_that_a_file_written_anew_lacks_goes_and_those_of_other_attempts_stay(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(**TRAINING)
        await runtime.wait(job.job_id)

        def snapshot(*names):
            book = SeriesBook()
            book.add(dict.fromkeys(names, 1.0))
            return book.snapshot()

        def write(tx):
            for attempt, names in ((2, ("loss", "f1")), (2, ("f1", "f2"))):
                assert series.put(tx.connection, job.job_id, attempt, snapshot(*names), tx.now, 1 << 20)

        await runtime.ledger.store.write(write)
        _, found = await runtime.series.of_job(job.job_id)
        assert {name: len(curve.points) for name, curve in found.items()} == {"loss": 101, "f1": 1, "f2": 1}
        sizes = await runtime.ledger.read(lambda at: at.execute(select(series.series.c.bytes)).scalars().all())
        assert await runtime.ledger.read(derived.series_bytes) == sum(sizes)


async def test_series_go_with_their_job_and_are_counted_right(autojump_clock, world):
    async with world.open() as runtime:
        job = await world.submit(**TRAINING)
        await runtime.wait(job.job_id)
        [size] = (await runtime.ledger.read(lambda at: at.execute(select(series.series.c.bytes)).all()))[0]
        assert await runtime.ledger.read(derived.series_bytes) == size
        world.clock.suspend(timedelta(days=91))
        await runtime.jobs.prune(yes=True)
        assert await runtime.ledger.read(derived.series_bytes) == 0
        with pytest.raises(Refused, match="there is no job"):
            await runtime.series.of_job(job.job_id)


async def test_a_job_that_runs_again_has_the_points_of_all_its_attempts(autojump_clock, world):
    """The first is interrupted halfway, the second begins at step 0: a gap lies between them."""
    async with world.open() as runtime:
        script = {**TRAINING, "interruptions": 1}
        job = await world.submit(**script, group="g", rerun=Rerun(times=1, delay=1.0))
        ended = await runtime.wait(job.job_id)
        assert ended.status == "completed"
        points = await points_of(runtime, job.job_id)
        again = [at for at, (x, y) in enumerate(points) if math.isnan(y)]
        assert again == [51]
        assert points[:51] == [(step, LOSSES[step]) for step in range(51)]
        assert points[52:] == [(step, LOSSES[step]) for step in range(101)]
        [compared] = await runtime.series.compare("g", "ana")
        assert compared.values == {"loss": (LOSSES[100], LOSSES[100])}
        assert ended.pace is None or pairs_of(ended.pace)[0][0] >= ended.started_at.timestamp() - 1


async def test_a_group_side_by_side(autojump_clock, world):
    async with world.open() as runtime:
        good = await world.submit(
            duration=2, progress=2, series={"loss": [3.0, 1.0, 2.0], "score": [1.0, 3.0, 2.0], "x": [1.0]},
            group="g", config_name="good", parameters={"lr": "0.20"}, best={"score": "max"},
        )  # fmt: skip
        other = await world.submit(duration=1, group="g")
        await world.submit(duration=1, group="g", user_id="bo")
        for job in (good, other):
            await runtime.wait(job.job_id)
        first, second = await runtime.series.compare("g", "ana")
        assert (first.job_id, first.name, first.status, first.parameters) == (
            good.job_id, "good", "completed", {"lr": "0.20"},
        )  # fmt: skip
        assert first.values == {"loss": (2.0, 1.0), "score": (2.0, 3.0), "x": (1.0, None)}
        assert (second.job_id, second.values) == (other.job_id, {})
        with pytest.raises(Refused, match="no jobs in a group 'h'"):
            await runtime.series.compare("h", "ana")


async def test_a_group_of_many_comes_in_pages(autojump_clock, world):
    async with world.open() as runtime:
        jobs = [await world.submit(duration=1, group="g") for _ in range(5)]
        found, cursor = [], None
        while True:
            page = await runtime.series.compare("g", "ana", limit=2, cursor=cursor)
            found += [one.job_id for one in page]
            if (cursor := page.next) is None:
                break
        assert found == [job.job_id for job in jobs]


def test_a_point_that_is_no_number_is_nan():
    assert math.isnan(series.summary_of({"last": [3, None]}).last[1])
    for damaged in (None, [], {"last": 5}, {"last": ["x", 1]}, {"non_finite": "x"}):
        assert series.summary_of(damaged) == series.Summary()
