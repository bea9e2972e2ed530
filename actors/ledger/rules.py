"""The approval rules in effect: the configured ones, overridden by what was changed at run time (B19)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs
from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.approval_rules import Facts, check_rule, first_match, why
from actors.jobs.events import EventType
from actors.jobs.records import ApprovalRule, Job
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import Caught, DryRun, RuleView
from actors.store import Transaction, jobs, rules
from actors.store.rules import StoredRule

FIRST_STORED_ID = 1001
"""Those that are configured have the ids below, if they are not more than that."""
_DAY = timedelta(hours=24)
_ASK_THE_PAST = frozenset({"daily_jobs_exceed", "first_job"})


def rules_now(connection: Connection, configured: Sequence[ApprovalRule]) -> list[RuleView]:
    """Every rule in effect, in the order in which rules are tried.

    The ids of configured rules follow from their places in the file. So what was decided about one of them does not
    apply to another that has its id now: that would let a rule disappear unseen.
    """
    views = {rule.rule_id: RuleView(rule, "configured") for rule in configured}
    outdated = {one.rule_id for one in outdated_overrides(connection, configured)}
    for rule_id, one in rules.stored(connection).items():
        if rule_id in outdated:
            continue
        if one.rule is None:
            views.pop(rule_id, None)
        else:
            views[rule_id] = RuleView(one.rule, "stored", one.changed_at, one.changed_by)
    return sorted(views.values(), key=lambda view: (-view.rule.priority, view.rule.rule_id))


def outdated_overrides(connection: Connection, configured: Sequence[ApprovalRule]) -> list[StoredRule]:
    """What was decided about configured rules whose ids other rules have now."""
    by_id = {rule.rule_id: rule for rule in configured}
    stored = rules.stored(connection).values()
    return [one for one in stored if one.rule_id in by_id and not one.is_for(by_id[one.rule_id])]


def ignored_overrides(connection: Connection, configured: Sequence[ApprovalRule]) -> list[str]:
    """A sentence for each outdated override."""
    what = "at run time when another rule of the configuration had this id; that does not apply to the present one"
    return [
        f"approval rule {one.rule_id} was {'removed' if one.rule is None else 'replaced'} {what}"
        for one in outdated_overrides(connection, configured)
    ]


def add_rule(tx: Transaction, rule: ApprovalRule, *, configured: Sequence[ApprovalRule], by: str | None) -> RuleView:
    """Add a rule under an id that no rule ever had."""
    _check(rule)
    if len(rules_now(tx.connection, configured)) >= maxima.RULES:
        raise Refused(f"there are {maxima.RULES} approval rules already, as many as there may be; remove one first")
    taken = [FIRST_STORED_ID - 1, *rules.stored(tx.connection), *(one.rule_id for one in configured)]
    return _keep(tx, attrs.evolve(rule, rule_id=max(taken) + 1), "added", by)


def replace_rule(
    tx: Transaction, rule: ApprovalRule, *, configured: Sequence[ApprovalRule], by: str | None
) -> RuleView:
    """Replace the rule that has the id of this one; a configured rule that was removed returns in this way."""
    _check(rule)
    known = {rule.rule_id for rule in configured}
    known |= {view.rule.rule_id for view in rules_now(tx.connection, configured)}
    if rule.rule_id not in known:
        raise _unknown(rule.rule_id)
    return _keep(tx, rule, "replaced", by, _configured(rule.rule_id, configured))


def remove_rule(tx: Transaction, rule_id: int, *, configured: Sequence[ApprovalRule], by: str | None) -> None:
    """Remove a rule. Requests that it caused are not changed."""
    if all(view.rule.rule_id != rule_id for view in rules_now(tx.connection, configured)):
        raise _unknown(rule_id)
    rules.put(tx.connection, StoredRule(rule_id, None, tx.now, by, _configured(rule_id, configured)))
    tx.emit(EventType.RULES_CHANGED, None, tx.correlation_id, rule_id=rule_id, change="removed", by=by)


def dry_run(connection: Connection, rule: ApprovalRule, last: int) -> DryRun:
    """Which of the ``last`` jobs ``rule`` would have held back, each judged by what was known when it was submitted."""
    _check(rule)
    active = attrs.evolve(rule, is_active=True)
    found, _more = jobs.page(connection, limit=last)
    caught = []
    for job in found:
        facts = _facts(connection, active, job)
        if first_match((active,), facts) is not None:
            caught.append(Caught(job.job_id, job.request.user_id, job.created_at, why(active, facts)))
    return DryRun(len(found), tuple(caught))


def _facts(connection: Connection, rule: ApprovalRule, job: Job) -> Facts:
    if rule.condition not in _ASK_THE_PAST:
        return Facts(job.request)
    number, any_before = jobs.before(connection, job, job.created_at - _DAY)
    return Facts(job.request, jobs_last_24h=number, is_first_job=not any_before)


def _configured(rule_id: int, configured: Sequence[ApprovalRule]) -> ApprovalRule | None:
    return next((rule for rule in configured if rule.rule_id == rule_id), None)


def _keep(
    tx: Transaction, rule: ApprovalRule, change: str, by: str | None, overrides: ApprovalRule | None = None
) -> RuleView:
    rules.put(tx.connection, StoredRule(rule.rule_id, rule, tx.now, by, overrides))
    tx.emit(EventType.RULES_CHANGED, None, tx.correlation_id, rule_id=rule.rule_id, change=change, by=by)
    return RuleView(rule, "stored", tx.now, by)


def _check(rule: ApprovalRule) -> None:
    try:
        check_rule(rule)
    except ValueError as error:
        raise Refused(str(error), RefusalKind.INVALID, str(error).partition(":")[0]) from error


def _unknown(rule_id: int) -> Refused:
    return Refused(f"there is no approval rule {rule_id}", RefusalKind.NOT_FOUND)
