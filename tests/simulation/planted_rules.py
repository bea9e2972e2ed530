"""More safeguards, each with a way to take it out (see ``planted.py``): what other rules of the checker are for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import attrs
import pytest
import trio

from actors import expiry, notifier
from actors.control.queue import Queue
from actors.jobs import bounds, capacity, levels, lifecycle, notifications, reruns, retry, scheduling
from actors.jobs.lifecycle import Trigger
from actors.jobs.records import Phase
from actors.jobs.retry import FailureKind
from actors.ledger import Ledger, dispatch, keys, submit
from actors.ledger import approvals as approval_verbs
from actors.poller import watch
from actors.simulation.rules import Rule
from actors.store import queue
from logconf import bind_correlation_id

Plant = Callable[[pytest.MonkeyPatch], None]


def _taken_for(patch: pytest.MonkeyPatch, kind: FailureKind, other: FailureKind) -> None:
    """Each refusal of one kind is taken for one of another."""
    after = dispatch.after_failed_dispatch
    patch.setattr(
        dispatch, "after_failed_dispatch", lambda which, *rest: after(other if which is kind else which, *rest)
    )


def attempts_while_rate_limited(patch: pytest.MonkeyPatch) -> None:
    """A provider that asks for patience costs an attempt."""
    _taken_for(patch, FailureKind.RATE_LIMITED, FailureKind.OTHER)


def end_of_a_wrong_request(patch: pytest.MonkeyPatch) -> None:
    """What is wrong in itself is tried again."""
    _taken_for(patch, FailureKind.INVALID, FailureKind.RATE_LIMITED)


def pause_after_a_refused_account(patch: pytest.MonkeyPatch) -> None:
    """A provider that refuses the account is called for the next job."""
    after = dispatch.after_failed_dispatch
    patch.setattr(dispatch, "after_failed_dispatch", lambda *a: attrs.evolve(after(*a), pause_provider=None))


def most_attempts(patch: pytest.MonkeyPatch) -> None:
    """A job is tried as long as its provider refuses it."""
    spend = retry._spend_attempt
    patch.setattr(
        retry, "_spend_attempt", lambda message, entry, *r: spend(message, attrs.evolve(entry, max_attempts=99), *r)
    )


def higher_priority_first(patch: pytest.MonkeyPatch) -> None:
    """The lowest priority is first."""
    ranked = scheduling._Pass._ranked

    def lowest_first(self, lane):
        priority, *rest = ranked(self, lane)
        return (priority if lane.provider == "exact" else -priority, *rest)  # there something may be kept for another

    patch.setattr(scheduling._Pass, "_ranked", lowest_first)


def overridden_priority(patch: pytest.MonkeyPatch) -> None:
    """An override counts for nothing."""
    ranked = scheduling._Pass._ranked

    def by_the_level(self, lane):
        rank = ranked(self, lane if lane.provider == "exact" else attrs.evolve(lane, override=None))
        return (*rank[:-1], lane)

    patch.setattr(scheduling._Pass, "_ranked", by_the_level)


def wait_before_another_run(patch: pytest.MonkeyPatch) -> None:
    """What runs again does so at once."""
    patch.setattr(reruns, "delay_before", lambda _delay, _reruns: 0.0)


def limit_of_a_team(patch: pytest.MonkeyPatch) -> None:
    """Teams have no limit."""
    why_not = scheduling._Pass._why_not
    patch.setattr(scheduling._Pass, "_why_not", lambda self, lane: why_not(self, attrs.evolve(lane, team_id=None)))


def last_slot_of_a_user(patch: pytest.MonkeyPatch) -> None:
    """Each user has one slot more than the limit says."""
    made = bounds.Quota.__init__
    patch.setattr(
        bounds.Quota, "__init__", lambda self, kind, bound, *r: made(self, kind, bound + (kind == "user"), *r)
    )


def limit_of_a_provider(patch: pytest.MonkeyPatch) -> None:
    """A provider's own limit is not looked at."""
    patch.setattr(bounds.ProviderPass, "limit", lambda _self: None)


def room_at_a_provider(patch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for fits."""
    patch.setattr(capacity.FreeResources, "fits", lambda _self, _resources: True)


def deadline_of_an_approval(patch: pytest.MonkeyPatch) -> None:
    """A request that nobody has ended yet can be decided, however late."""
    open_request, is_expired = approval_verbs._open_request, approval_verbs.is_expired

    def still_open(tx, approval_id, level):
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(approval_verbs, "is_expired", lambda _request, _now: False)
            return open_request(tx, approval_id, level)

    patch.setattr(approval_verbs, "_open_request", still_open)
    patch.setattr(approval_verbs, "is_expired", is_expired)
    patch.setattr(expiry.Expiry, "next_tick", lambda self: super(expiry.Expiry, self).next_tick())  # on the beat alone


def approval_that_is_asked_for(patch: pytest.MonkeyPatch) -> None:
    """Nobody is asked about a job whose submitter wants somebody to be asked."""
    patch.setattr(submit, "Question", lambda *_: None)


def keys_after_a_leap(patch: pytest.MonkeyPatch) -> None:
    """A key is forgotten on the word of a clock that leapt."""
    patch.setattr(keys, "holds", SimpleNamespace(current=lambda _connection: None))


def queued_is_not_running(patch: pytest.MonkeyPatch) -> None:
    """A job counts as running as soon as its provider has it."""
    patch.setitem(lifecycle.PHASE_TRIGGERS, Phase.QUEUED, Trigger.OBSERVE_RUNNING)


def failed_is_not_completed(patch: pytest.MonkeyPatch) -> None:
    """A job that failed counts as completed."""
    patch.setitem(lifecycle.PHASE_TRIGGERS, Phase.FAILED, Trigger.OBSERVE_COMPLETED)


def unknown_outcomes_are_asked_about(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks what became of a submission whose answer was lost."""

    async def leave(self, _one):
        await trio.lowlevel.checkpoint()

    patch.setattr(watch.Watch, "_settle", leave)


def no_answer_is_no_absence(patch: pytest.MonkeyPatch) -> None:
    """A provider that does not answer about a submission counts as one that does not have it."""
    settle = watch.Watch._settle

    async def absent(self, one):
        with bind_correlation_id(one.job.correlation_id):
            found = await self._provider.find(one.key, one.submission.token)
        if isinstance(found, watch.Failure):
            await self._ledger.write(watch.settle_absent, one.key, jitter=self._ledger.sources.jitter)
        else:
            await settle(self, one)

    patch.setattr(watch.Watch, "_settle", absent)


def waits_for_other_providers(patch: pytest.MonkeyPatch) -> None:
    """Whoever resumes one provider ends the waits for all of them."""
    release = queue.release_provider

    def release_all(connection, _provider):
        for name in ("exact", "search", "blind", "hooked"):
            release(connection, name)

    patch.setattr(queue, "release_provider", release_all)


def publication(patch: pytest.MonkeyPatch) -> None:
    """The first event of a transaction is published, no other."""
    published = Ledger._publish_events
    patch.setattr(Ledger, "_publish_events", lambda self, events: published(self, events[:1]))


def few_deliveries_at_once(patch: pytest.MonkeyPatch) -> None:
    """A target gets all that there is for it at once."""
    patch.setattr(notifier, "AT_ONCE", 100)
    patch.setattr(notifications, "AT_ONCE", 100)


def view_of_the_queue(patch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the queue meets an error."""

    async def view(self):
        await trio.lowlevel.checkpoint()
        raise KeyError("a lane")

    patch.setattr(Queue, "view", view)


def sweep_of_deadlines(patch: pytest.MonkeyPatch) -> None:
    """A sweep that finds something raises an error."""

    def fails(*_):
        raise KeyError("a deadline")

    patch.setattr(approval_verbs, "expired_job_message", fails)


def check_of_an_override(patch: pytest.MonkeyPatch) -> None:
    """Any number is a priority."""
    patch.setattr(levels, "HIGHEST_OVERRIDE", 10_000)


PLANTED_RULES: dict[Plant, set[str]] = {
    attempts_while_rate_limited: {Rule.ATTEMPTS_SPENT},
    end_of_a_wrong_request: {Rule.AFTER_REFUSAL},
    pause_after_a_refused_account: {Rule.PAUSED_BY_REFUSAL},
    most_attempts: {Rule.ATTEMPTS},
    higher_priority_first: {Rule.ORDER},
    overridden_priority: {Rule.ORDER},
    wait_before_another_run: {Rule.RERUN_DELAY},
    limit_of_a_team: {Rule.CLAIMS},
    last_slot_of_a_user: {Rule.CLAIMS},
    limit_of_a_provider: {Rule.CLAIMS},
    room_at_a_provider: {Rule.CLAIMS},
    deadline_of_an_approval: {Rule.LATE_APPROVAL},
    approval_that_is_asked_for: {Rule.BEFORE_APPROVAL},
    keys_after_a_leap: {Rule.ONE_KEY},
    queued_is_not_running: {Rule.CAUSED},
    failed_is_not_completed: {Rule.CAUSED},
    unknown_outcomes_are_asked_about: {Rule.SETTLES},
    no_answer_is_no_absence: {Rule.ONE_RUN, Rule.LIMITS, Rule.NO_ORPHANS},
    waits_for_other_providers: {Rule.RETRY_AFTER, Rule.BACK_OFF, Rule.RERUN_DELAY},
    publication: {Rule.NO_GAP, Rule.PUBLISHED},
    few_deliveries_at_once: {Rule.FEW_AT_ONCE},
    view_of_the_queue: {Rule.CLIENTS},
    sweep_of_deadlines: {Rule.NO_CRASH},
    check_of_an_override: {Rule.REFUSED},
}
"""Each with the rules by which it is noticed."""
