"""Approval rules changed at run time, after the end of a world: each change is in force, no other rule is touched."""

from __future__ import annotations

import attrs

from actors.jobs.records import ApprovalRule
from actors.jobs.refusal import Refused
from actors.jobs.views import RuleView
from actors.runtime import RunningRuntime
from actors.simulation.pinned import source
from actors.simulation.rules import Rule
from actors.simulation.world import World

_CONFIGURED_BELOW = 1001
"""The id of the first rule that is not configured."""
_LAST = 40
_BEFORE = (
    "SELECT j.job_id, (SELECT count(*) FROM jobs b WHERE b.user_id = j.user_id AND b.job_id < j.job_id),"
    " (SELECT count(*) FROM jobs b WHERE b.user_id = j.user_id AND b.job_id < j.job_id"
    " AND b.created_at > j.created_at - 86400000000) FROM jobs j ORDER BY j.job_id DESC LIMIT ?"
)
"""Of the newest jobs, how many their users had submitted before, and how many of these in the 24 h before."""


async def change_rules(world: World, runtime: RunningRuntime) -> None:
    """Add a rule, replace it, ask what it would have caught, and remove it, or a configured one."""
    draw = source(world.seed, "rule changes")
    before = await runtime.rules.all()
    cost, priority = draw.choice([5.0, 10.0, 50.0]), draw.choice([0, 15, 99])
    wanted = ApprovalRule("Costly", "cost_exceeds", cost, priority=priority, rule_id=draw.choice([0, 1, 2_000]))
    added = await runtime.rules.add(wanted, by="op")
    new_id = added.rule.rule_id
    known = [view.rule.rule_id for view in before]
    _require(world, new_id >= _CONFIGURED_BELOW and new_id not in known, f"{new_id} beside {known}")
    await _holds(world, runtime, before, attrs.evolve(wanted, rule_id=new_id))
    other = attrs.evolve(wanted, rule_id=new_id, value=cost + 1, priority=draw.choice([0, 15, 99]))
    await runtime.rules.replace(other, by="op")
    await _holds(world, runtime, before, other)
    await _dry_run(world, runtime, other)
    await _ask_the_past(world, runtime)
    second = await runtime.rules.add(wanted, by="op")
    _require(world, second.rule.rule_id == new_id + 1, f"{second.rule.rule_id} after {new_id}")
    await runtime.rules.remove(second.rule.rule_id, by="op")
    gone = draw.choice([new_id, *(known if len(known) > 1 else [])])
    await runtime.rules.remove(gone, by="op")
    left = {view.rule.rule_id for view in await runtime.rules.all()}
    _require(world, left == {new_id, *known} - {gone}, f"without {gone} there are {left}")
    for refused in (runtime.rules.remove(9_999), runtime.rules.replace(attrs.evolve(wanted, rule_id=9_999))):
        try:
            await refused
        except Refused:
            continue
        _require(world, False, "a rule that nobody made is changed")


async def _holds(world: World, runtime: RunningRuntime, before: list[RuleView], rule: ApprovalRule) -> None:
    """``rule`` beside those of ``before``, in the order in which rules are tried."""
    now = [view.rule for view in await runtime.rules.all()]
    there = sorted([*(view.rule for view in before), rule], key=lambda one: (-one.priority, one.rule_id))
    _require(world, now == there, f"{now} hold, not {there}")


async def _dry_run(world: World, runtime: RunningRuntime, rule: ApprovalRule) -> None:
    rows = world.database.look(
        "SELECT job_id, coalesce(json_extract(request, '$.estimated_cost'), 0) FROM jobs ORDER BY job_id DESC LIMIT ?",
        (_LAST,),
    )
    result = await runtime.rules.dry_run(rule, last=_LAST)
    caught, costly = {one.job_id for one in result.caught}, {job for job, cost in rows if cost > float(rule.value or 0)}
    _require(world, result.looked_at == len(rows), f"{result.looked_at} looked at of {len(rows)}")
    _require(world, caught == costly, f"{rule} would have caught {costly}, not {caught}")


async def _ask_the_past(world: World, runtime: RunningRuntime) -> None:
    """Who submits for the first time, and who has submitted more than some in a day, is known of each job."""
    rows = world.database.look(_BEFORE, (_LAST,))
    first = await runtime.rules.dry_run(ApprovalRule("First", "first_job", None), last=_LAST)
    caught, there = {one.job_id for one in first.caught}, {job_id for job_id, before, _ in rows if not before}
    _require(world, caught == there, f"first jobs of their users are {there}, not {caught}")
    many = await runtime.rules.dry_run(ApprovalRule("Many", "daily_jobs_exceed", 3.0), last=_LAST)
    caught, there = {one.job_id for one in many.caught}, {job_id for job_id, _, today in rows if today >= 3}
    _require(world, caught == there, f"jobs beyond the third of a day are {there}, not {caught}")


def _require(world: World, holds: bool, text: str) -> None:
    world.note(world.require, holds, Rule.RULES, text)
