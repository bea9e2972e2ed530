"""The checker's own table of states, written from the contract, and the runtime's: the same steps, told of alike."""

import pytest

from actors.jobs.events import EventType
from actors.jobs.lifecycle import TRANSITIONS, Trigger
from actors.jobs.records import JobStatus, QueueStatus
from actors.simulation.states import CHANGES, ENDED, MAY_FOLLOW, NEW, NO_CHANGE, By, following

CAUSES = {
    Trigger.SUBMIT: By.CLIENT,
    Trigger.SUBMIT_FOR_APPROVAL: By.CLIENT,
    Trigger.APPROVE: By.APPROVER,
    Trigger.REJECT: By.APPROVER,
    Trigger.EXPIRE: By.DEADLINE,
    Trigger.CANCEL_WAITING: By.CLIENT,
    Trigger.PARENT_FAILED: By.PARENT,
    Trigger.CLAIM: By.SCHEDULER,
    Trigger.REQUEUE: By.ANSWER,
    Trigger.FAIL: By.ANSWER,
    Trigger.OBSERVE_QUEUED: By.PROVIDER,
    Trigger.OBSERVE_RUNNING: By.PROVIDER,
    Trigger.OBSERVE_COMPLETED: By.PROVIDER,
    Trigger.OBSERVE_FAILED: By.PROVIDER,
    Trigger.OBSERVE_CANCELLED: By.PROVIDER,
    Trigger.RERUN: By.PROVIDER,
    Trigger.RESTORE: By.RESTORE,
    Trigger.RESTORE_BLOCKED: By.RESTORE,
}
AFTER_RESTORE = {
    ("pending", "pending"): (("job_restored", ("uploading", "running")),),
    ("pending", "blocked"): (("job_restored", ("uploading", "running")),),
    ("uploading", "running"): (("job_requeued", ("pending", "blocked")),),
}
"""What may follow after a restore from a backup alone (F3), which no world has: there it is a violation."""


def of_the_runtime():
    return {
        ((str(job or "new"), str(entry or "new")), str(step.event), (str(step.job), str(step.entry)))
        for pairs, step in TRANSITIONS.values()
        for job, entry in pairs
    }


def test_both_tables_have_the_same_steps():
    checked = {(before, one.event, one.state) for before, follows in MAY_FOLLOW.items() for one in follows}
    assert checked == of_the_runtime()


@pytest.mark.parametrize("trigger", CAUSES, ids=str)
def test_the_checker_knows_who_may_cause_each_step(trigger):
    pairs, step = TRANSITIONS[trigger]
    for job, entry in pairs:
        before = (str(job or "new"), str(entry or "new"))
        found = following(before, step.event, step.job, blocked=step.entry is QueueStatus.BLOCKED)
        assert CAUSES[trigger] in found.by


def test_every_step_has_a_cause():
    assert CAUSES.keys() == TRANSITIONS.keys()


def test_every_state_that_can_be_reached_stands_in_the_table():
    assert {one.state for follows in MAY_FOLLOW.values() for one in follows} | {NEW} == set(MAY_FOLLOW)


@pytest.mark.parametrize("state", [state for state in MAY_FOLLOW if state[1] in ENDED], ids="/".join)
def test_nothing_leaves_an_end(state):
    assert MAY_FOLLOW[state] == ()


def test_words_are_the_runtimes():
    states = set(MAY_FOLLOW) - {NEW}
    assert {job for job, _ in states} == {str(one) for one in JobStatus}
    assert {entry for _, entry in states} <= {str(one) for one in QueueStatus}
    assert {str(one) for one in EventType} >= CHANGES | NO_CHANGE
