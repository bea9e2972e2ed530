"""What a provider answers is checked before anybody relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from actors.jobs.records import Observation, Phase
from actors.providers.answers import checked_submitted, checked_view
from actors.providers.base import Submitted, View

WRONG_OBSERVATIONS = [
    "running",
    Observation(cast("Phase", "running")),
    Observation(Phase.RUNNING, started_at=datetime(2024, 1, 15)),  # noqa: DTZ001 - what is wrong with it
    Observation(Phase.RUNNING, error=cast("str", 5)),
    Observation(Phase.RUNNING, exit_code=cast("int", "1")),
    Observation(Phase.RUNNING, cost_usd=float("nan")),
    Observation(Phase.RUNNING, cost_usd=-1.0),
    Observation(Phase.RUNNING, progress=cast("Mapping[str, Any]", [1])),
    Observation(Phase.RUNNING, result={"x": {1}}),
]


@pytest.mark.parametrize("wrong", WRONG_OBSERVATIONS, ids=range(len(WRONG_OBSERVATIONS)))
def test_an_observation_that_makes_no_sense_fails_its_own_job_only(wrong: Any) -> None:
    """The others of the same look are told; what was not asked for is left out."""
    good = Observation(Phase.RUNNING, seen_at=datetime(2024, 1, 15, tzinfo=UTC))
    view = View({"j1": wrong, "j2": good, "j9": good}, absent=frozenset({"j8"}))
    seen = checked_view(view, {"j1": {}, "j2": {}})
    assert (dict(seen.observations), set(seen.failed), seen.absent) == ({"j2": good}, {"j1"}, frozenset())


def test_a_wrong_observation_does_not_lose_an_accepted_job() -> None:
    """The handle is what matters: the poller looks again."""
    submitted = checked_submitted(Submitted({"run": "1"}, cast("Observation", "running")))
    assert submitted == Submitted({"run": "1"}, None)
