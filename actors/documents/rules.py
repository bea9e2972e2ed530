"""Approval rules."""

from __future__ import annotations

from typing import TypedDict

from actors.documents.common import Moment, from_fields, moment
from actors.jobs.views import DryRun, RuleView


class RuleDocument(TypedDict):
    """An approval rule in effect. ``source``: ``configured``, or ``stored``: added or replaced at run time."""

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


def rule_document(view: RuleView) -> RuleDocument:
    """An approval rule in effect."""
    changed_at = moment(view.changed_at)
    return from_fields(RuleDocument, view.rule, source=view.source, changed_at=changed_at, changed_by=view.changed_by)


class RulesDocument(TypedDict):
    """The rules in the order in which they are tried; the first one that applies decides."""

    rules: list[RuleDocument]


class CaughtDocument(TypedDict):
    """A job that a rule would have held back, and the reason that it would have given."""

    job_id: str
    user_id: str
    created_at: Moment | None
    reason: str


class DryRunDocument(TypedDict):
    """Which of the last jobs a rule would have held back."""

    looked_at: int
    caught: list[CaughtDocument]


def dry_run_document(found: DryRun) -> DryRunDocument:
    """Which of the last jobs a rule would have held back."""
    return {"looked_at": found.looked_at, "caught": [from_fields(CaughtDocument, one) for one in found.caught]}
