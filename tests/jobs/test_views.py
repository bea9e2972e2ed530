"""Orders of lists, and whose jobs a viewer sees."""

from __future__ import annotations

import pytest

from actors.jobs.views import EVERYTHING, NEWEST_FIRST, JobOrder, JobSort, Viewer


def test_only_descending_times_of_creation_are_the_order_of_every_list():
    newest_first = [(sort, down) for sort in JobSort for down in (True, False) if JobOrder(sort, down).is_newest_first]
    assert newest_first == [(JobSort.CREATED, True)]
    assert JobOrder(JobSort.CREATED, descending=True) == NEWEST_FIRST


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
