"""A sweep is accepted whole or not at all; jobs of a file are known as long as they are kept (E2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from actors.jobs import maxima
from actors.jobs.file_rules import FileRules
from actors.jobs.matrix import matrix_of
from actors.jobs.options import Limits
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.sweeps import Sweep
from actors.ledger import submit as submission
from actors.pruner import prune_keys
from actors.store import idempotency
from actors.testing import request

FILE = FileRules("d" * 64)
NONE = Limits(total=0)


def sweep(matrix: Any, keys: tuple[str, ...] = (), **fields: Any) -> Sweep:
    return Sweep(request(**fields), matrix_of(matrix), keys)


async def test_a_sweep_is_its_jobs_in_one_transaction(autojump_clock, world):
    async with world.open(limits=NONE) as runtime:
        jobs = await runtime.submit_sweep(
            request(config_name="t-{lr}", group="g", spec={"error": "lr {lr}"}), {"lr": [0.1, "0.20"]}
        )
        stored = [(await runtime.jobs.get(job.job_id)).job.request for job in jobs]
        assert [(one.config_name, one.parameters, one.spec, one.group) for one in stored] == [
            ("t-0.1", {"lr": "0.1"}, {"error": "lr 0.1"}, "g"), ("t-0.20", {"lr": "0.20"}, {"error": "lr 0.20"}, "g"),
        ]  # fmt: skip
        assert len({job.correlation_id for job in jobs}) == 2
        assert [event.job_id for event in await world.events()] == [job.job_id for job in jobs]


async def test_a_parameter_that_is_used_nowhere_is_a_warning(autojump_clock, world):
    """Once for the sweep, which is accepted: to run the same several times is a use, too."""
    async with world.open(limits=NONE) as runtime:
        matrix = {"a": [1, 2], "b": [3, 4]}
        accepted = await runtime.jobs.submit_many([
            sweep(matrix, config_name="t-{b}", spec={"error": "{{a}"}),
            sweep(matrix, spec={"error": "{a}{b}"}),
            sweep({"a": [1]}),
        ])  # fmt: skip
        unused = ("{a} is not used: its jobs differ in nothing else",)
        assert [one.warnings for one in accepted] == [unused, *[()] * 8]


@pytest.mark.parametrize(
    ("matrix", "fields", "message"),
    [
        ({"lr": []}, {}, "matrix.lr: must have at least one value"),
        ({"lr": [1]}, {"spec": {"error": "{rl}"}}, "spec.error: has {rl}, and the matrix has no rl; known are lr"),
        ({"lr": [1]}, {"parameters": {"lr": "1"}, "user_id": ""}, "user_id: say for whom the job is (lr=1)"),
        ({"a": {"from": 1, "to": 101}, "b": {"from": 1, "to": 100}}, {}, "matrix: makes 10100 jobs, and one matrix"),
        ({"p": ["scripted", "srcipted"]}, {"spec": {"durration": "{p}"}}, "did you mean duration"),
    ],
)
async def test_what_is_wrong_with_one_job_is_wrong_with_all(autojump_clock, world, matrix, fields, message):
    async with world.open(limits=NONE) as runtime:
        with pytest.raises(Refused) as refused:
            await runtime.submit_sweep(request(**fields), matrix)
        assert message in str(refused.value)
        assert refused.value.kind is RefusalKind.INVALID
        assert await runtime.jobs.page() == []


async def test_sweeps_and_jobs_of_one_request_are_ten_thousand_at_most(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(maxima, "BATCH_JOBS", 5)
    three = sweep({"lr": [1, 2, 3]})
    async with world.open(limits=NONE) as runtime:
        with pytest.raises(Refused, match="at most 5 jobs in one request; send them in several"):
            await runtime.jobs.submit_many([three, three])
        assert len(await runtime.jobs.submit_many([request(), three, request()])) == 5


async def test_the_jobs_of_a_matrix_have_a_size_in_all(autojump_clock, world, monkeypatch):
    """A request of a few bytes must not become more than the server can hold."""
    monkeypatch.setattr(maxima, "SWEEP", 1000)
    async with world.open(limits=NONE) as runtime:
        with pytest.raises(Refused, match="makes jobs of more than 1000 bytes in all"):
            await runtime.jobs.submit_many([sweep({"lr": list(range(100))})])
        await runtime.jobs.submit_many([sweep({"lr": [1]})])


async def test_each_new_job_knows_the_name_as_it_was_written(autojump_clock, world, monkeypatch):
    """By it others of the same request wait for all that a matrix made."""
    seen: list[Any] = []

    class Batch(submission._Batch):
        def accept(self) -> Any:
            seen.extend((new.written_name, new.request.config_name) for new in self._new)
            return super().accept()

    monkeypatch.setattr(submission, "_Batch", Batch)
    async with world.open(limits=NONE) as runtime:
        swept = sweep({"lr": [1, 2]}, config_name="t-{lr}")
        await runtime.jobs.submit_many(
            [swept, request(config_name="one"), request(), sweep({"a": [1]}, config_name="n")]
        )
    assert seen == [("t-{lr}", "t-1"), ("t-{lr}", "t-2"), ("one", "one"), (None, None), ("n", "n-1")]


async def test_a_key_of_a_file_holds_as_long_as_its_job_and_is_not_compared(autojump_clock, world):
    """What is no part of the key, such as the priority, may have changed meanwhile."""
    keyed = request(duration=1, idempotency_key="k")
    async with world.open() as runtime:
        (first,) = await runtime.jobs.submit_many([keyed], FILE)
        await runtime.wait(first.job.job_id)
        world.clock.suspend(timedelta(days=30))
        again = await runtime.jobs.submit_many([attrs.evolve(keyed, priority_override=3), request(duration=1)], FILE)
        assert [one.created for one in again] == [False, True]
        assert again[0].job.job_id == first.job.job_id
        world.clock.suspend(timedelta(days=91))
        await runtime.jobs.prune(yes=True)
        (anew,) = await runtime.jobs.submit_many([keyed], FILE)
        assert anew.created
        assert first.job.job_id not in {view.job.job_id for view in await runtime.jobs.page()}


async def test_old_keys_of_single_jobs_are_removed_and_those_of_files_are_not(autojump_clock, world):
    single, of_file = request(idempotency_key="single"), request(idempotency_key="file")
    async with world.open(limits=NONE) as runtime:
        await runtime.jobs.submit_many([single])
        await runtime.jobs.submit_many([of_file], FILE)
        world.clock.suspend(timedelta(days=2))
        await prune_keys(runtime.ledger)
        bound = await runtime.ledger.read(idempotency.used, [("ana", "single"), ("ana", "file")], None)
        assert list(bound) == [("ana", "file")]


async def test_failed_jobs_or_all_are_submitted_anew_when_that_is_asked_for(autojump_clock, world):
    good, bad = request(duration=1, idempotency_key="g"), request(result="failed", duration=1, idempotency_key="b")
    async with world.open() as runtime:
        first = await runtime.jobs.submit_many([good, bad], FILE)
        for one in first:
            await runtime.wait(one.job.job_id)
        failed = await runtime.jobs.submit_many([good, bad], attrs.evolve(FILE, again="failed"))
        assert [one.created for one in failed] == [False, True]
        found = await runtime.jobs.submit_many([good, bad], FILE)
        assert [one.job.job_id for one in found] == [one.job.job_id for one in failed]
        anew = await runtime.jobs.submit_many([good, bad], attrs.evolve(FILE, again="all"))
        assert [one.created for one in anew] == [True, True]
        found = await runtime.jobs.submit_many([good, bad], FILE)
        assert [one.job.job_id for one in found] == [one.job.job_id for one in anew]


async def test_the_keys_that_0_1_0_made_of_the_same_file_are_recognised(autojump_clock, world):
    """By the digest of the file and the index; another file's are not."""
    digest = "0123456789abcdef" * 4
    async with world.open(limits=NONE) as runtime:
        old = [request(config_name=name, idempotency_key=f"{digest[:32]}-{n}") for n, name in enumerate("abc")]
        first = await runtime.jobs.submit_many(old)
        new = [request(config_name=name, idempotency_key=f"by-content-{name}") for name in "abc"]
        other = await runtime.jobs.submit_many(new[:1], FileRules("f" * 64))
        assert other[0].created
        found = await runtime.jobs.submit_many([*new, request(idempotency_key="d")], FileRules(digest))
        assert [one.created for one in found] == [False, False, False, True]
        assert [one.job.job_id for one in found[1:3]] == [one.job.job_id for one in first[1:]]
        assert found[0].job.job_id == other[0].job.job_id
        world.clock.suspend(timedelta(days=2))
        moved = await runtime.jobs.submit_many(new[::-1], FileRules("e" * 64))
        assert [one.created for one in moved] == [False, False, False]


async def test_who_was_cancelled_because_of_a_failed_job_is_submitted_with_it(autojump_clock, world):
    """By whatever name: its own, or that of the matrix that made it. A job cancelled by a person stays cancelled."""
    bad = sweep({"r": ["failed"]}, ("a",), config_name="a-{r}", result="{r}", duration=1)
    by_name = request(config_name="b", after=("a-{r}",), idempotency_key="b", duration=1)
    below = request(config_name="c", after=("b",), idempotency_key="c", duration=1)
    by_hand = request(config_name="d", after=("a-failed",), after_mode="ended", idempotency_key="d", duration=1)
    async with world.open() as runtime:
        first = await runtime.jobs.submit_many([bad, by_name, below, by_hand], FILE)
        await runtime.cancel(first[3].job.job_id)
        ended = [await runtime.wait(one.job.job_id) for one in first]
        assert [job.status for job in ended] == ["failed", "cancelled", "cancelled", "cancelled"]
        anew = await runtime.jobs.submit_many([bad, by_name, below, by_hand], attrs.evolve(FILE, again="failed"))
        assert [one.created for one in anew] == [True, True, True, False]
        assert [one.entry.unfinished_parents for one in anew[:3]] == [0, 1, 1]


async def test_jobs_of_a_file_wait_for_all_that_a_matrix_made_new_or_not(autojump_clock, world):
    three = sweep({"n": [1, 2, 3]}, ("1", "2", "3"), config_name="t", duration=60)
    four = sweep({"n": [1, 2, 3, 4]}, ("1", "2", "3", "4"), config_name="t", duration=60)
    async with world.open() as runtime:
        await runtime.jobs.submit_many([three], FILE)
        found = await runtime.jobs.submit_many([four, request(after=("t",), idempotency_key="x")], FILE)
        assert [one.created for one in found] == [False, False, False, True, True]
        assert found[-1].entry.unfinished_parents == 4
        assert (await runtime.wait(found[-1].job.job_id)).status == "completed"
