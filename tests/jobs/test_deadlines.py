"""Deadlines of approvals: their words and their moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actors.jobs.deadlines import (
    EXPIRED_ENTRY,
    duration_in_words,
    expired_job_message,
    is_expired,
)
from actors.jobs.records import ApprovalRequest, ApprovalStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86_400, "24 hours"),
        (3600, "1 hour"),
        (172_800, "48 hours"),
        (5400, "90 minutes"),
        (60, "1 minute"),
        (45, "45 seconds"),
        (1, "1 second"),
        (4.5, "4.5 seconds"),
        (5025, "5025 seconds"),
        (0.1 * 3600, "6 minutes"),
        (3600.0000001, "1 hour"),
        (3_600_000_000, "1000000 hours"),
        (0, "0 seconds"),
    ],
)
def test_a_duration_is_told_in_the_largest_unit_that_says_it_exactly(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


def test_an_expired_request_is_told_in_the_promised_words_with_the_real_time_out() -> None:
    """Exact texts (B16); never "24 hours" where it was another time-out."""
    assert EXPIRED_ENTRY == "Approval request expired (auto-rejected after timeout)"
    assert expired_job_message(86_400) == "Approval request expired after 24 hours"
    assert expired_job_message(5400) == "Approval request expired after 90 minutes"


@pytest.mark.parametrize(("seconds", "expired"), [(-0.001, False), (0, True), (60, True)])
def test_a_pending_request_is_expired_from_its_deadline_on(seconds: float, expired: bool) -> None:
    request = ApprovalRequest("a", "job", ApprovalStatus.PENDING, "why", "lead", NOW, NOW, 60.0)
    assert is_expired(request, after(seconds)) is expired


@pytest.mark.parametrize("status", [status for status in ApprovalStatus if status is not ApprovalStatus.PENDING])
def test_what_is_decided_does_not_expire(status: ApprovalStatus) -> None:
    assert not is_expired(ApprovalRequest("a", "job", status, "why", "lead", NOW, NOW, 60.0), after(999))
