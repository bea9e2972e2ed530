"""Orders of lists, and whose jobs a viewer sees."""

from __future__ import annotations

import pytest

from actors.jobs.selections import Result
from actors.jobs.views import EVERYTHING, NEWEST_FIRST, JobOrder, JobSort, TargetView, Viewer


def test_only_descending_times_of_creation_are_the_order_of_every_list():
    newest_first = [(sort, down) for sort in JobSort for down in (True, False) if JobOrder(sort, down).is_newest_first]
    assert newest_first == [(JobSort.CREATED, True)]
    assert JobOrder(JobSort.CREATED, descending=True) == JobOrder() == NEWEST_FIRST


def test_a_target_with_nothing_behind_it_has_nothing_waiting_and_a_result_of_which_nothing_is_said_is_not_done():
    assert TargetView("chat", configured=True).waiting == 0
    assert not Result("j", None, "ana", "failed").done


@pytest.mark.parametrize(
    ("viewer", "sees_own", "sees_others"),
    [
        (Viewer("ana", only_own=True), True, False),
        (Viewer("ana"), True, True),
        (EVERYTHING, True, True),
    ],
)
def test_who_sees_only_their_own_jobs_sees_nobody_elses(viewer, sees_own, sees_others):
    assert (viewer.sees("ana"), viewer.sees("bo")) == (sees_own, sees_others)
