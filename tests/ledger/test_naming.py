"""A job is meant by its id, its name, or a part of its id, in this order, and own jobs come first (E1)."""

from __future__ import annotations

import pytest

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import EVERYTHING, Viewer
from actors.ledger import naming

ANA, BO = Viewer("ana"), Viewer("bo")
WAITING = {"limits": Limits(total=0)}


async def named(runtime, text, viewer=EVERYTHING, *, newest=False):
    return (await runtime.jobs.named(text, viewer, newest=newest)).job.job_id


async def test_an_id_comes_before_a_name_and_a_name_before_a_part_of_an_id(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        first = await world.submit(config_name="train")
        liar = await world.submit(config_name=first.job_id)
        part = await world.submit(config_name=first.job_id[-8:])
        assert await named(runtime, first.job_id) == first.job_id
        assert await named(runtime, first.job_id[-8:]) == part.job_id
        assert await named(runtime, first.job_id[-9:]) == first.job_id
        assert await named(runtime, first.job_id[-9:].upper()) == first.job_id
        assert await named(runtime, liar.job_id) == liar.job_id


async def test_a_name_is_exact(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        await world.submit(config_name="train")
        for text in ("Train", "train ", "trai", "tr*", "%"):
            with pytest.raises(Refused) as refused:
                await named(runtime, text)
            assert refused.value.kind is RefusalKind.NOT_FOUND


async def test_own_jobs_come_first_in_each_way(autojump_clock, world):
    """One own job of that name is meant, whatever others have; but another's id comes before an own name."""
    async with world.open(**WAITING) as runtime:
        mine = await world.submit(config_name="train", user_id="ana")
        theirs = [await world.submit(config_name="train", user_id="bo") for _ in range(2)]
        assert await named(runtime, "train", ANA) == mine.job_id
        named_like_theirs = await world.submit(config_name=theirs[0].job_id, user_id="ana")
        assert await named(runtime, theirs[0].job_id, ANA) == theirs[0].job_id
        assert await named(runtime, named_like_theirs.job_id, BO) == named_like_theirs.job_id
        with pytest.raises(Refused, match="2 jobs are named 'train'"):
            await named(runtime, "train", BO)
        with pytest.raises(Refused, match="3 jobs are named 'train'"):
            await named(runtime, "train", Viewer("cy"))
        short = min(range(6, 26), key=lambda length: (mine.job_id[-length:] == theirs[0].job_id[-length:], length))
        assert await named(runtime, mine.job_id[-short:], ANA) == mine.job_id
        beginning = mine.job_id[:6]
        with pytest.raises(Refused, match="fits more than one job"):
            await named(runtime, beginning, BO)


async def test_own_parts_of_ids_come_first(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        await world.submit(user_id="bo")
        mine = await world.submit(user_id="ana")
        assert await named(runtime, mine.job_id[:6], ANA) == mine.job_id


async def test_who_sees_their_own_alone_finds_no_other(autojump_clock, world):
    """Neither by the id nor by a guess."""
    async with world.open(**WAITING) as runtime:
        theirs = await world.submit(config_name="secret-run", user_id="bo")
        for text in (theirs.job_id, theirs.job_id[-8:], theirs.job_id[:20], "secret-run", "secret-rum", "01"):
            with pytest.raises(Refused) as refused:
                await named(runtime, text, Viewer("ana", only_own=True))
            assert (refused.value.kind, str(refused.value)) == (RefusalKind.NOT_FOUND, f"there is no job {text!r}")


async def test_of_several_of_one_name_a_reader_gets_the_newest_and_a_change_is_refused_with_a_list(
    autojump_clock, world
):
    async with world.open(**WAITING) as runtime:
        jobs = [await world.submit(config_name="train") for _ in range(12)]
        await runtime.cancel(jobs[-1].job_id)
        found = await runtime.jobs.named("train", newest=True)
        assert (found.job.job_id, found.of) == (jobs[-1].job_id, 12)
        for text in (jobs[-1].job_id, jobs[-1].job_id[-9:]):  # which no other job has
            found = await runtime.jobs.named(text)
            assert (found.job.job_id, found.of) == (jobs[-1].job_id, 1)
        assert (await runtime.jobs.get("train")).job.job_id == jobs[-1].job_id
        with pytest.raises(Refused) as refused:
            await runtime.cancel("train")
        message = str(refused.value)
        assert message.startswith(
            f"12 jobs are named 'train': {jobs[-1].job_id} (cancelled), {jobs[-2].job_id} (pending)"
        )
        assert message.endswith("and 2 more; give an id")
        assert refused.value.kind is RefusalKind.INVALID
        for change in (runtime.jobs.retry, runtime.removing.remove):
            with pytest.raises(Refused, match="12 jobs are named"):
                await change("train")
        with pytest.raises(Refused, match="12 jobs are named"):
            await runtime.jobs.prioritise("train", 3)


async def test_a_job_and_its_retry_are_two_of_one_name(autojump_clock, world):
    """What would change one of them, or wait for it, is refused and lists both; none of them is touched."""
    async with world.open(**WAITING) as runtime:
        first = await world.submit(config_name="train", user_id="ana")
        await runtime.cancel("train")
        second = await runtime.jobs.retry("train")
        listed = rf"2 jobs are named 'train': {second.job_id} \(pending\), {first.job_id} \(cancelled\)"
        for change in (runtime.cancel, runtime.jobs.retry, runtime.removing.remove):
            with pytest.raises(Refused, match=listed):
                await change("train")
        with pytest.raises(Refused, match="2 jobs are named 'train'"):
            await world.submit(config_name="later", user_id="ana", after=("train",))
        assert (await runtime.jobs.get("train")).job.job_id == second.job_id
        assert (await runtime.cancel(second.job_id)).job_id == second.job_id


async def test_an_unknown_name_gets_a_guess(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        await world.submit(config_name="train-resnet")
        with pytest.raises(Refused, match=r"there is no job 'train-resnt'; did you mean train-resnet\?"):
            await named(runtime, "train-resnt")
        with pytest.raises(Refused, match=r"^there is no job 'other'$"):
            await named(runtime, "other")


@pytest.mark.parametrize("text", ["", "x" * 201, "a\nb", "a\0b", "\N{RIGHT-TO-LEFT OVERRIDE}x"])
async def test_what_can_be_no_name_is_no_job(autojump_clock, world, text):
    async with world.open(**WAITING) as runtime:
        with pytest.raises(Refused, match="there is no job"):
            await named(runtime, text)


async def test_a_name_may_hold_any_letter(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        for name in ("Übung 1", "a/b", "50%", "x'y", "[a]", "train*", "\u8a13\u7df4\u30001", "a\u200bb", "\u202ex"):
            job = await world.submit(config_name=name)
            assert await named(runtime, name) == job.job_id


async def test_an_approval_is_meant_by_its_id_or_by_its_job(autojump_clock, world):
    """Of several jobs of one name the one whose request is open; where more are, that is refused."""
    rule = ApprovalRule("Dear", "config_pattern", "dear*", rule_id=1)
    async with world.open(**WAITING, approvals=ApprovalOptions(rules=(rule,))) as runtime:
        jobs = [await world.submit(config_name="dear") for _ in range(3)]
        ids = [(await runtime.jobs.get(job.job_id)).approval.approval_id for job in jobs]
        for text in (ids[0], ids[0][-9:], jobs[0].job_id, jobs[0].job_id[-9:]):
            assert await runtime.approvals.named(text) == ids[0]
        with pytest.raises(Refused, match="fits more than one approval request"):
            await runtime.approve("dear", by="bo")
        for job in jobs[:2]:
            await runtime.reject(job.job_id, by="bo")
        assert await runtime.approvals.named("dear") == ids[2]
        mine = await world.submit(config_name="dear", user_id="cy")
        assert await runtime.approvals.named("dear", Viewer("cy")) != ids[2]
        assert (await runtime.approvals.get("dear")).job_id in (jobs[2].job_id, mine.job_id)


@pytest.mark.parametrize(("number", "more"), [(2, ""), (10, ""), (11, " and 1 more")])
async def test_ten_jobs_of_a_name_are_listed_and_the_others_counted(autojump_clock, world, number, more):
    async with world.open(**WAITING) as runtime:
        jobs = [(await world.submit(config_name="train")).job_id for _ in range(number)]
        listed = ", ".join(f"{one} (pending)" for one in jobs[::-1][:10])
        with pytest.raises(Refused) as refused:
            await named(runtime, "train")
        assert str(refused.value) == f"{number} jobs are named 'train': {listed}{more}; give an id"


async def test_a_name_of_two_hundred_characters_is_found_and_a_longer_one_is_none(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        job = await world.submit(config_name="x" * 200)
        assert await named(runtime, "x" * 200) == job.job_id
        for text in ("x" * 201, "", "x" * 199 + "\n"):
            with pytest.raises(Refused) as refused:
                await named(runtime, text)
            assert (refused.value.kind, str(refused.value)) == (RefusalKind.NOT_FOUND, f"there is no job {text!r:.80}")


@pytest.mark.parametrize(("counted", "number"), [(3, "3 or more"), (4, "3")])
async def test_jobs_of_one_name_are_counted_up_to_a_bound(autojump_clock, world, monkeypatch, counted, number):
    monkeypatch.setattr(naming, "_COUNTED", counted)
    async with world.open(**WAITING) as runtime:
        for _ in range(3):
            await world.submit(config_name="train")
        with pytest.raises(Refused, match=f"^{number} jobs are named 'train'"):
            await named(runtime, "train")


async def test_a_text_of_other_letters_is_no_part_of_an_id_and_means_no_approval(autojump_clock, world):
    """Nor does what no text can hold, such as the half of a character."""
    async with world.open(**WAITING) as runtime:
        await world.submit(requires_approval="why")
        for text in ("\u00dcbung", "\ud800"):
            with pytest.raises(Refused, match="there is no job") as refused:
                await named(runtime, text)
            assert refused.value.kind is RefusalKind.NOT_FOUND
            with pytest.raises(Refused, match="there is no approval request") as refused:
                await runtime.approvals.named(text)
            assert refused.value.kind is RefusalKind.NOT_FOUND


async def test_an_end_of_an_id_has_six_characters_for_an_approval_too(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        await world.submit(requires_approval="why")
        for text, more in (("zzzzz", ": the end of an id must have 6 characters or more"), ("zzzzzz", "")):
            with pytest.raises(Refused) as refused:
                await runtime.approvals.named(text)
            assert str(refused.value) == f"there is no approval request {text!r}{more}"


async def test_a_part_of_several_approvals_is_refused_and_of_one_name_a_reader_gets_the_newest(autojump_clock, world):
    async with world.open(**WAITING) as runtime:
        jobs = [await world.submit(requires_approval="why", config_name="dear") for _ in range(2)]
        ids = sorted([(await runtime.jobs.get(job.job_id)).approval.approval_id for job in jobs])
        assert await runtime.approvals.named("dear", newest=True) == ids[-1]
        for newest in (True, False):
            with pytest.raises(Refused, match="fits more than one approval request"):
                await runtime.approvals.named(ids[0][:6], newest=newest)
        hidden = Viewer("eve", only_own=True)
        for text in (ids[0], jobs[0].job_id, "dear", ids[0][-9:], jobs[0].job_id[-9:]):
            with pytest.raises(Refused, match="there is no approval request") as refused:
                await runtime.approvals.named(text, hidden)
            assert refused.value.kind is RefusalKind.NOT_FOUND
