"""What holds where the configuration says nothing: the numbers that the contract and the documentation promise."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest

from actors.jobs.options import Limits
from actors.settings.sections import Sections


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("limits.total", 5),
        ("limits.per_user", 2),
        ("limits.per_organisation", 10),
        ("limits.per_team", 10),
        ("limits.fair_share", False),
        ("limits.per_provider_per_user", 50),
        ("limits.count_clusters", False),
        ("queue.max_waiting_per_user", 20_000),
        ("queue.reserve_after", 10 * 60),
        ("series.max_bytes", 2 * 1024**3),
        ("approvals.default_rules", False),
        ("approvals.timeout_hours", 24),
        ("approvals.self_approval", True),
        ("background.job_status_polling.enabled", None),
        ("background.job_status_polling.interval_seconds", 30),
        ("background.job_status_polling.safety_net_seconds", 0),
        ("background.queue_processing.enabled", True),
        ("background.queue_processing.interval_seconds", 5),
        ("background.approval_expiration.interval_seconds", 5 * 60),
    ],
)
def test_an_empty_configuration_means_what_is_promised(setting: str, value: Any) -> None:
    assert attrgetter(setting)(Sections()) == value


def test_only_a_provider_with_a_queue_of_its_own_is_limited_without_being_asked() -> None:
    assert Limits().of_provider("slurm", separate=True) == 100
    assert Limits().of_provider("ray", separate=False) is None
    assert Limits(per_provider={"slurm": 0}).of_provider("slurm", separate=True) == 0
