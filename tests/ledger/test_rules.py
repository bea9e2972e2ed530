"""Approval rules that are changed while the runtime runs: ids are never used again, and there is a maximum."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from actors.jobs import maxima
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import ApprovalRule, QueueStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.testing import request

CONFIGURED = ApprovalRule("costly", "cost_exceeds", 5.0, priority=10, rule_id=1)
ADDED = ApprovalRule("more than costly", "cost_exceeds", 9.0, priority=20)
APPROVALS = ApprovalOptions(default_rules=False, rules=(CONFIGURED,))


async def shown(runtime):
    return [(view.rule.rule_id, view.rule.name, view.source, view.changed_by) for view in await runtime.rules.all()]


async def test_a_rule_that_was_added_is_tried_by_its_priority_and_its_id_is_never_anothers(autojump_clock, world):
    async with world.open(approvals=APPROVALS) as runtime:
        added = await runtime.rules.add(ADDED, by="ana")
        assert (added.rule.rule_id, added.source, added.changed_by) == (1001, "stored", "ana")
        assert await shown(runtime) == [
            (1001, "more than costly", "stored", "ana"),
            (1, "costly", "configured", None),
        ]
        await runtime.rules.remove(1001, by="ana")
        assert [one[0] for one in await shown(runtime)] == [1]
        assert (await runtime.rules.add(ADDED, by="ana")).rule.rule_id == 1002
        events = [(one.data["rule_id"], one.data["change"]) for one in await world.events()]
        assert events == [(1001, "added"), (1001, "removed"), (1002, "added")]


async def test_a_configured_rule_that_was_removed_comes_back_when_it_is_replaced(autojump_clock, world):
    async with world.open(approvals=APPROVALS) as runtime:
        await runtime.rules.remove(1, by="ana")
        assert await shown(runtime) == []
        await runtime.rules.replace(attrs.evolve(CONFIGURED, name="other"), by="bo")
        assert await shown(runtime) == [(1, "other", "stored", "bo")]


NIGHT = ApprovalRule("night", "config_pattern", "night-*", rule_id=101)
COSTLY = attrs.evolve(CONFIGURED, rule_id=102)


def configured(world, kept_engine, *rules):
    """A runtime on the same database, with these rules in its file."""
    numbered = tuple(attrs.evolve(rule, rule_id=101 + index) for index, rule in enumerate(rules))
    return world.open(engine=kept_engine, approvals=ApprovalOptions(default_rules=False, rules=numbered))


@pytest.mark.parametrize("change", ["removed", "replaced"])
async def test_what_was_decided_about_a_rule_does_not_apply_to_another_that_gets_its_id(
    autojump_clock, world, kept_engine, change
):
    """The first rule of the file goes, and the second has its id from then on."""
    async with configured(world, kept_engine, NIGHT, COSTLY) as runtime:
        if change == "removed":
            await runtime.rules.remove(101, by="ana")
        else:
            await runtime.rules.replace(attrs.evolve(NIGHT, is_active=False), by="ana")
        assert (await runtime.health.check()).notes == ()
    async with configured(world, kept_engine, NIGHT, COSTLY) as runtime:  # the same file: the decision stands
        sources = [one[:3] for one in await shown(runtime)]
        assert (101, "night", "configured") not in sources
    async with configured(world, kept_engine, COSTLY) as runtime:
        assert await shown(runtime) == [(101, "costly", "configured", None)]
        job = await runtime.submit(request(estimated_cost=500.0))
        assert (await runtime.jobs.get(job.job_id)).entry.status is QueueStatus.BLOCKED
        (note,) = (await runtime.health.check()).notes
        assert note.startswith(f"approval rule 101 was {change} at run time when another rule")
        await runtime.rules.remove(101, by="ana")
        assert await shown(runtime) == []
        assert (await runtime.health.check()).notes == ()


async def test_a_rule_that_is_added_gets_the_id_of_no_configured_rule(autojump_clock, world, monkeypatch):
    monkeypatch.setattr("actors.ledger.rules.FIRST_STORED_ID", 2)
    other = attrs.evolve(CONFIGURED, rule_id=2)
    async with world.open(approvals=ApprovalOptions(default_rules=False, rules=(CONFIGURED, other))) as runtime:
        assert (await runtime.rules.add(ADDED, by="ana")).rule.rule_id == 3


@pytest.mark.parametrize("rule_id", [2, 1001])
async def test_a_rule_that_is_not_there_is_neither_replaced_nor_removed(autojump_clock, world, rule_id):
    async with world.open(approvals=APPROVALS) as runtime:
        for change in (
            runtime.rules.replace(attrs.evolve(ADDED, rule_id=rule_id), by="ana"),
            runtime.rules.remove(rule_id, by="ana"),
        ):
            with pytest.raises(Refused, match=f"there is no approval rule {rule_id}") as refused:
                await change
            assert refused.value.kind is RefusalKind.NOT_FOUND
        assert await world.events() == []


async def test_there_are_never_more_rules_than_each_job_can_be_tried_by(autojump_clock, world, monkeypatch):
    monkeypatch.setattr(maxima, "RULES", 2)
    async with world.open(approvals=APPROVALS) as runtime:
        await runtime.rules.add(ADDED, by="ana")
        with pytest.raises(Refused, match="there are 2 approval rules already"):
            await runtime.rules.add(ADDED, by="ana")
        await runtime.rules.replace(attrs.evolve(CONFIGURED, value=7.0), by="ana")
        assert len(await shown(runtime)) == 2


async def test_a_rule_that_makes_no_sense_is_refused_by_its_field(autojump_clock, world):
    async with world.open(approvals=APPROVALS) as runtime:
        for change in (runtime.rules.add, runtime.rules.replace, runtime.rules.dry_run):
            with pytest.raises(Refused) as refused:
                await change(attrs.evolve(CONFIGURED, value=-1.0))
            assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "value")


async def test_a_dry_run_judges_each_job_by_what_was_known_when_it_was_submitted(autojump_clock, world):
    first, many = ApprovalRule("first", "first_job"), ApprovalRule("many", "daily_jobs_exceed", 1.0)
    async with world.open(approvals=attrs.evolve(APPROVALS, rules=())) as runtime:
        jobs = [(await world.submit(estimated_cost=cost)).job_id for cost in (1.0, 6.0, None)]
        for rule, caught in ((CONFIGURED, jobs[1:2]), (first, jobs[:1]), (many, jobs[1:])):
            result = await runtime.rules.dry_run(attrs.evolve(rule, is_active=False))
            assert result.looked_at == 3
            assert sorted(one.job_id for one in result.caught) == sorted(caught), rule
        assert (await runtime.rules.dry_run(CONFIGURED, last=1)).looked_at == 1


@pytest.mark.parametrize(("hours", "asks"), [(24.0, False), (23.99, True)])
async def test_a_day_of_a_rule_has_24_hours_at_a_submission_and_in_a_dry_run(autojump_clock, world, hours, asks):
    many = ApprovalRule("many", "daily_jobs_exceed", 1.0, rule_id=1)
    async with world.open(approvals=attrs.evolve(APPROVALS, rules=(many,))) as runtime:
        await world.submit()
        world.clock.suspend(timedelta(hours=hours))
        later = await world.submit()
        assert ((await runtime.jobs.get(later.job_id)).approval is not None) is asks
        assert [one.job_id for one in (await runtime.rules.dry_run(many)).caught] == [later.job_id] * asks


DAILY = ApprovalRule("busy day", "daily_jobs_exceed", 2, priority=10, rule_id=1)
FIRST = ApprovalRule("newcomer", "first_job", None, priority=10, rule_id=1)


async def blocked_after_removals(world, rule, *, number, apart=timedelta()):
    """Whether each of these jobs is blocked, each submitted after the one before it has ended and was removed."""
    found = []
    async with world.open(approvals=ApprovalOptions(default_rules=False, rules=(rule,))) as runtime:
        for _ in range(number):
            job = await runtime.submit(request(duration=1, user_id="ana"))
            found.append((await runtime.jobs.get(job.job_id)).entry.status is QueueStatus.BLOCKED)
            if found[-1]:
                await runtime.approvals.approve(job.job_id, by="bo")
            await runtime.wait(job.job_id)
            await runtime.removing.remove(job.job_id)
            world.clock.move(apart)
    return found


async def test_who_removes_jobs_has_submitted_them_all_the_same(autojump_clock, world):
    assert await blocked_after_removals(world, DAILY, number=5) == [False, False, True, True, True]


async def test_a_removed_job_counts_for_a_day(autojump_clock, world):
    assert await blocked_after_removals(world, DAILY, number=5, apart=timedelta(hours=13)) == [False] * 5


async def test_a_job_is_the_first_of_its_user_once(autojump_clock, world):
    found = await blocked_after_removals(world, FIRST, number=3, apart=timedelta(hours=48))
    assert found == [True, False, False]
