"""What a restore, a hand-over after a death, a delivery or an event's contents may get wrong (see ``planted.py``)."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from actors.jobs import notifications
from actors.ledger import deliveries, dispatch, ledger, look_ups, observe, restoring, settle, submit
from actors.simulation.rules import Rule

Plant = Callable[[pytest.MonkeyPatch], None]


def jobs_are_looked_up_after_a_restore(patch: pytest.MonkeyPatch) -> None:
    """What the backup knows is taken for what is."""
    patch.setattr(restoring, "_mark", lambda *_: False)


def queue_is_paused_after_a_restore(patch: pytest.MonkeyPatch) -> None:
    """A restored queue goes on by itself."""
    patch.setattr(restoring, "pause", lambda *_, **__: None)


def attempt_in_doubt_is_not_followed_by_another(patch: pytest.MonkeyPatch) -> None:
    """A job whose attempt ended runs again, although it may have done so since the backup was made."""
    patch.setattr(observe, "_may_have_run_since", lambda _: False)


def event_of_a_retry(patch: pytest.MonkeyPatch) -> None:
    """The event of a retry does not say what it repeats."""
    data = submit._event_data
    patch.setattr(submit, "_event_data", lambda one: {k: v for k, v in data(one).items() if k != "retry_of"})


def most_that_may_wait(patch: pytest.MonkeyPatch) -> None:
    """A user submits as much as they like."""
    patch.setattr(submit._Batch, "_check_waiting", lambda self: None)


def first_observation(patch: pytest.MonkeyPatch) -> None:
    """What the answer to a submission shows is forgotten until the provider is asked."""
    patch.setattr(dispatch, "apply_observation", lambda *_: None)


def delivery_that_was_there(patch: pytest.MonkeyPatch) -> None:
    """A delivery that comes twice is applied twice."""
    patch.setattr(deliveries, "_is_new", lambda *_: True)


def suspects_alone(patch: pytest.MonkeyPatch) -> None:
    """What may have killed the process is handed over together with others."""
    patch.setattr(dispatch, "keep_suspects_apart", lambda tx, picks: picks)


def settling_what_is_certain(patch: pytest.MonkeyPatch) -> None:
    """A person may settle a job of which nobody doubts that it runs."""
    load = settle.load

    def doubted(tx, job_id):
        pair = load(tx, job_id)
        return attrs.evolve(pair, job=attrs.evolve(pair.job, uncertain_since=tx.now))

    patch.setattr(settle, "load", doubted)


def wait_of_a_notification(patch: pytest.MonkeyPatch) -> None:
    """A notification is tried again soon, however often it has failed."""
    patch.setattr(notifications, "growing", lambda *_: 1.0)


def line_of_an_event(patch: pytest.MonkeyPatch) -> None:
    """An event is not logged."""
    patch.setattr(ledger, "log_event", lambda _: None)


def end_that_is_followed(patch: pytest.MonkeyPatch) -> None:
    """An attempt that ended, and is to be followed by another one, stays as it was."""
    patch.setattr(observe, "rerun", lambda *_: None)


def attempt_that_is_there_still(patch: pytest.MonkeyPatch) -> None:
    """What is found as it was in the backup is not taken for looked up."""
    patch.setattr(look_ups, "_recognise", lambda *_: None)


PLANTED_RESTORED: dict[Plant, set[str]] = {
    jobs_are_looked_up_after_a_restore: {Rule.ONE_RUN, Rule.KEY_OF_ATTEMPT, Rule.INTENT},
    queue_is_paused_after_a_restore: {Rule.PAUSED},
    attempt_in_doubt_is_not_followed_by_another: {Rule.ONE_RUN},
    event_of_a_retry: {Rule.EVENT_CONTENTS},
    most_that_may_wait: {Rule.MOST_WAITING},
    first_observation: {Rule.SHOWN_AT_ONCE},
    delivery_that_was_there: {Rule.DELIVERED_ONCE},
    suspects_alone: {Rule.ALONE},
    settling_what_is_certain: {Rule.SETTLED},
    wait_of_a_notification: {Rule.NOTIFICATION_WAIT},
    attempt_that_is_there_still: {Rule.LOOKED_UP},
    line_of_an_event: {Rule.LOGGED},
    end_that_is_followed: {Rule.ENDS_NOTICED},
}
"""Each with the rules by which it is noticed."""
