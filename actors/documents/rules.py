"""Approval rules."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from actors.documents.common import from_fields
from actors.jobs.views import RuleView


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
    changed_at: datetime | None
    changed_by: str | None


def rule_document(view: RuleView) -> RuleDocument:
    """An approval rule in effect."""
    return from_fields(RuleDocument, view.rule, view)


class RulesDocument(TypedDict):
    """The rules in the order in which they are tried; the first one that applies decides."""

    rules: list[RuleDocument]
