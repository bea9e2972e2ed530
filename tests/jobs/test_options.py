"""What holds where the configuration says nothing: the numbers that the contract and the documentation promise."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import attrs
import pytest

from actors.jobs.options import Limits
from actors.jobs.records import ApprovalRule, Capacity, JobRequest, QueueEntry, QueueStatus, Resources, Submission
from actors.jobs.retention import PruneResult
from actors.jobs.statuses import SubmissionState
from actors.settings.sections import Sections

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", "local"),
        ("resources.cpus", 1),
        ("resources.gpus", 0),
        ("resources.memory", None),
        ("max_attempts", 3),
        ("after_mode", "ok"),
        ("rerun.times", 0),
        ("rerun.on", ("interrupted",)),
        ("rerun.exit_codes", ()),
        ("rerun.delay", 30),
    ],
)
def test_a_job_that_says_nothing_asks_for_what_is_promised(field: str, value: Any) -> None:
    assert attrgetter(field)(JobRequest()) == value


def test_a_provider_has_no_limits_of_its_own_and_counts_nothing_unless_it_says_so() -> None:
    assert attrs.asdict(Capacity()) == {"cpus": None, "gpus": None, "memory": None, "separate_limits": False}
    assert attrs.asdict(Resources()) == {"cpus": 1, "gpus": 0, "memory": None}


def test_a_new_entry_waits_for_nobody_and_nobody_for_it() -> None:
    entry = QueueEntry("j", QueueStatus.PENDING, 10, None, NOW, 1)
    assert entry.is_ready
    assert (entry.attempt, entry.max_attempts, entry.reruns, entry.run_first_attempt) == (0, 3, 0, 0)
    assert not entry.is_awaited
    assert not Submission("j", "k", "t", SubmissionState.INTENT, NOW).spends_attempt


def test_a_rule_is_active_needs_a_lead_and_comes_with_no_priority() -> None:
    rule = ApprovalRule("r", "first_job")
    assert (rule.is_active, rule.required_approver_level, rule.priority) == (True, "lead", 0)


def test_nothing_was_removed_unless_it_is_said() -> None:
    assert attrs.astuple(PruneResult(None)) == (None, 0, 0, 0, None, None, None)
