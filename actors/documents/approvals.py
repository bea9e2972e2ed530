"""Answers about approval requests and rules."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.words import Moment


class ApprovalDocument(TypedDict):
    """A question put to a person, and how it was decided."""

    approval_id: str
    job_id: str
    status: str
    reason: str
    required_level: str
    rule_id: int | None
    requested_at: Moment | None
    expires_at: Moment | None
    decided_at: Moment | None
    decided_by: str | None
    decision_reason: str | None


class ApprovalsDocument(TypedDict):
    """A page of approval requests, newest first. ``next`` goes into ``cursor`` for the page after; null: the last."""

    approvals: list[ApprovalDocument]
    next: str | None


class DecisionDocument(TypedDict):
    """What became of one request of many: its document, or the problem that hindered it."""

    approval_id: str
    decided: bool
    approval: ApprovalDocument | None
    problem: str | None


class DecisionsDocument(TypedDict):
    """A result for each request, in the order in which they were asked about."""

    results: list[DecisionDocument]


class RuleDocument(TypedDict):
    """An approval rule that holds. ``source``: ``configured``, or ``stored``: made or replaced at run time."""

    rule_id: int
    name: str
    condition: str
    value: float | str | None
    priority: int
    applies_to_provider: str | None
    applies_to_level: str | None
    exempt_levels: list[str]
    required_approver_level: str
    is_active: bool
    source: str
    changed_at: Moment | None
    changed_by: str | None


class RulesDocument(TypedDict):
    """The rules in the order in which they are tried: the first that holds decides."""

    rules: list[RuleDocument]


class CaughtDocument(TypedDict):
    """A job that a rule would have held back, and in which words."""

    job_id: str
    user_id: str
    created_at: Moment | None
    reason: str


class DryRunDocument(TypedDict):
    """Which of the last jobs a rule would have held back."""

    looked_at: int
    caught: list[CaughtDocument]
