"""An approval rule from outside: the one schema of HTTP and of the section ``approvals.rules`` of the configuration."""

from __future__ import annotations

from typing import Literal

from attrs.validators import and_, ge, le

from actors.jobs.approval_rules import check_rule
from actors.jobs.records import ApprovalRule
from actors.validation import Shape, Wrong

Condition = Literal[
    "cost_exceeds", "hardware_type", "provider", "user_level", "daily_jobs_exceed", "first_job", "config_pattern"
]
Level = Literal["viewer", "researcher", "lead", "admin"]


def check(rule: ApprovalRule) -> None:
    """Raises :class:`Wrong` for fields that contradict each other, and for a pattern that cannot be parsed."""
    try:
        check_rule(rule)
    except ValueError as error:
        field, _, message = str(error).partition(": ")
        raise Wrong(message, field) from None


RULE = Shape(
    hidden={"rule_id"},
    types={
        "condition": Condition,
        "applies_to_level": Level | None,
        "exempt_levels": tuple[Level, ...],
        "required_approver_level": Level,
    },
    validators={"priority": and_(ge(-(2**31)), le(2**31 - 1))},  # what a column holds
    whole=check,
)
"""How a rule is written; the provider that it names is checked by those who have the providers."""
