"""Rows are read leniently: one from another version is read, a damaged one is reported once and blocks no other."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from actors.jobs.records import ApprovalRule, Job, JobRequest, Resources
from actors.store import rows
from actors.store.errors import DamagedRow
from actors.store.types import Damaged

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
JOB = {
    "job_id": "one", "status": "running", "provider": "local", "correlation_id": "c", "created_at": NOW,
    "updated_at": NOW, "request": {"provider": "local", "command": ["true"], "resources": {"cpus": 2}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_reported", set())


def test_a_field_more_is_ignored_and_a_missing_one_has_its_default():
    newer = {**JOB, "notes": "of a later version", "request": {**JOB["request"], "partition": "a100"}}
    found = rows.read(Job, newer)
    assert found.request == JobRequest(command=("true",), resources=Resources(cpus=2))
    assert found.version == 1
    rule = rows.read(ApprovalRule, {"name": "big", "condition": "cost_over", "value": 5, "exempt_levels": ["lead"]})
    assert (rule.value, rule.exempt_levels, rule.is_active) == (5, ("lead",), True)


def test_the_maxima_of_requests_do_not_apply():
    long = {**JOB, "request": {"config_name": "x" * 100_000}}
    assert len(rows.read(Job, long).request.config_name or "") == 100_000


@pytest.mark.parametrize(
    "damage",
    [{"status": "exploded"}, {"request": Damaged()}, {"request": [1]}, {"request": {"resources": 7}}],
    ids=["an unknown status", "no JSON", "JSON of another shape", "a part of another shape"],
)
def test_a_damaged_row_is_left_out_and_reported_once(damage, caplog):
    other = {**JOB, "job_id": "two"}
    for _ in range(2):
        assert [job.job_id for job in rows.read_all(Job, [{**JOB, **damage}, other])] == ["two"]
    assert [(one.levelno, "Job one" in one.getMessage()) for one in caplog.records] == [(logging.ERROR, True)]
    with pytest.raises(DamagedRow, match="Job one"):
        rows.read(Job, {**JOB, **damage})
