"""Approval requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from actors.documents.common import from_fields
from actors.jobs.records import ApprovalRequest
from actors.store.names import Called


class ApprovalDocument(TypedDict):
    """An approval request, and how it was decided."""

    approval_id: str
    job_id: str
    status: str
    reason: str
    required_level: str
    rule_id: int | None
    requested_at: datetime | None
    expires_at: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    decision_reason: str | None


def approval_document(request: ApprovalRequest) -> ApprovalDocument:
    """An approval request, and how it was decided."""
    return from_fields(ApprovalDocument, request)


class ListedApprovalDocument(ApprovalDocument):
    """An approval request with the name and the user of its job; both are null if the job was just removed."""

    config_name: str | None
    user_id: str | None


def listed_approval_document(request: ApprovalRequest, jobs: Mapping[str, Called]) -> ListedApprovalDocument:
    """An approval request of a list; ``jobs`` has the jobs of the list by id."""
    job = jobs.get(request.job_id)
    name, user = (None, None) if job is None else (job.name, job.user_id)
    return from_fields(ListedApprovalDocument, request, config_name=name, user_id=user)


class ApprovalsDocument(TypedDict):
    """A page of approval requests, newest first. ``next``: the ``cursor`` of the next page; null: this is the last."""

    approvals: list[ListedApprovalDocument]
    next: str | None


class DecisionDocument(TypedDict):
    """The result for one request of many: its document, or the problem that prevented the decision."""

    approval_id: str
    decided: bool
    approval: ApprovalDocument | None
    problem: str | None


class DecisionsDocument(TypedDict):
    """A result for each request, in the order of the question."""

    results: list[DecisionDocument]
