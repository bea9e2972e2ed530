"""Safeguards of jobs that run again, and of wide ones, each with a way to take it out (see ``planted.py``)."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from actors.jobs import bounds
from actors.ledger import deliveries as deliveries_of_the_ledger
from actors.ledger import dispatch, observe, rerun
from actors.providers import guard
from actors.simulation.rules import Rule


def proof_of_an_end(patch: pytest.MonkeyPatch) -> None:
    """A provider's word that it lost a job is taken for the end of it."""
    apply = observe.apply_observation

    def believed(tx, pair, key, observation, **more):
        return apply(tx, pair, key, attrs.evolve(observation, proven_dead=True), **more)

    for module in (observe, dispatch, deliveries_of_the_ledger):
        patch.setattr(module, "apply_observation", believed)


def count_of_runs(patch: pytest.MonkeyPatch) -> None:
    """However often a job ran again, it may do so as often as it asked for."""
    decide_again = observe.run_again

    def never_spent(job, *rest):
        asked = job.request.rerun
        often = attrs.evolve(job.request, rerun=attrs.evolve(asked, times=asked.times and 99))
        return decide_again(attrs.evolve(job, request=often), *rest)

    patch.setattr(observe, "run_again", never_spent)


def cancel_before_another_run(patch: pytest.MonkeyPatch) -> None:
    """A job that was asked to end is run again, too."""
    decide_again = observe.run_again

    def uncancelled(job, *rest):
        return decide_again(attrs.evolve(job, cancel_requested_at=None), *rest)

    patch.setattr(observe, "run_again", uncancelled)


def key_of_each_attempt(patch: pytest.MonkeyPatch) -> None:
    """The next attempt has the key of the one before it: its provider takes it for that one."""
    put_back = rerun.advance

    def same_number(tx, pair, trigger, *, entry, **more):
        before = {"attempt": pair.entry.attempt, "run_first_attempt": pair.entry.run_first_attempt}
        return put_back(tx, pair, trigger, entry={**entry, **before}, **more)

    patch.setattr(rerun, "advance", same_number)


def what_is_kept_for_a_wide_job(patch: pytest.MonkeyPatch) -> None:
    """Nothing is kept: small jobs take what becomes free for as long as there are any."""
    patch.setattr(bounds.ProviderPass, "keep", lambda _self, _job_id, _resources: None)


def given_back_in_time(patch: pytest.MonkeyPatch) -> None:
    """Whoever has a deadline gets what is kept for another, however late that is."""
    patch.setattr(bounds, "gives_back_in_time", lambda _now, max_runtime, _grace, _before: max_runtime is not None)


def devices_of_one_attempt(patch: pytest.MonkeyPatch) -> None:
    """A job that waits to run again still shows the devices that its last run had."""
    patch.setattr(rerun, "OF_AN_ATTEMPT", tuple(name for name in rerun.OF_AN_ATTEMPT if name != "devices"))


def devices_that_are_counted(patch: pytest.MonkeyPatch) -> None:
    """What asks for one GPU is handed over for all that there are."""
    prepare = guard.GuardedProvider.prepare

    def for_all(self, request):
        gpus = request.resources.gpus and self.capacity().gpus
        return prepare(self, attrs.evolve(request, resources=attrs.evolve(request.resources, gpus=gpus)))

    patch.setattr(guard.GuardedProvider, "prepare", for_all)


PLANTED_RERUNS: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    proof_of_an_end: {
        "each change has a cause",
        "at most one remote job each",
        "limits hold as the provider sees them",
        "jobs end as they ran",
        "no orphans",
    },
    count_of_runs: {"no more runs than asked"},
    cancel_before_another_run: {"what is asked to end is not run again"},
    key_of_each_attempt: {"each attempt has a key of its own", "no more runs than asked", "the intent first"},
    what_is_kept_for_a_wide_job: {"what is reserved is kept"},
    given_back_in_time: {"what is reserved is kept"},
    devices_of_one_attempt: {Rule.DEVICES},
    devices_that_are_counted: {Rule.DEVICES},
}
"""Each with the rules by which it is noticed."""
