"""The section ``approvals.rules``: each rule's words held against what there is (B19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from actors.jobs.expressions import compiled
from actors.jobs.levels import USER_LEVELS
from actors.jobs.records import ApprovalRule
from actors.jobs.suggestions import did_you_mean
from actors.validation import Shape
from actors.validation.validators import Validator

FIRST_RULE_ID = 101  # the rules that come with it have the ids below
_CONDITIONS: Mapping[str, type | None] = {
    "cost_exceeds": float, "hardware_type": str, "provider": str, "user_level": str, "daily_jobs_exceed": float,
    "first_job": None, "config_pattern": str,
}  # fmt: skip


def known_as(what: str, known: Iterable[str]) -> Callable[[str | None], str | None]:
    """A check that a name is one of ``known``, with a guess; nothing is no fault."""
    names = list(known)

    def check(value: str | None) -> str | None:
        if value is None or value in names:
            return None
        return f"there is no {what} {value!r:.60}{did_you_mean(value[:80], names)}"

    return check


_level = known_as("level", USER_LEVELS)


def _levels(values: Iterable[str]) -> str | None:
    return next((fault for one in values if (fault := _level(one))), None)


def _saying(check: Callable[[Any], str | None]) -> Validator:
    """``check`` as a validator."""

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if fault := check(value):
            raise ValueError(f"{attribute.name} {fault}")

    return validate


def rule_shape(provider: Callable[[str | None], str | None]) -> Shape:
    """How a rule is written; ``provider`` checks a provider's name."""
    return Shape(
        hidden={"rule_id"},
        validators={
            "condition": _saying(known_as("condition", _CONDITIONS)),
            "applies_to_provider": _saying(provider),
            "applies_to_level": _saying(_level),
            "exempt_levels": _saying(_levels),
            "required_approver_level": _saying(_level),
        },
        whole=lambda rule: None if (fault := _value_fault(rule, provider)) is None else ("value", fault),
    )


def numbered(value: Any, usual: Callable[[Any], tuple[ApprovalRule, ...]]) -> tuple[ApprovalRule, ...]:
    """Rules get their ids in the order of the file, which decides between equal priorities."""
    return tuple(attrs.evolve(rule, rule_id=FIRST_RULE_ID + index) for index, rule in enumerate(usual(value)))


def _value_fault(rule: ApprovalRule, provider: Callable[[str | None], str | None]) -> str | None:
    """What is wrong with a rule's value, given its condition."""
    wanted, value = _CONDITIONS[rule.condition], rule.value
    if wanted is None:
        return None if value is None else f"has no place beside {rule.condition}"
    words = "a number" if wanted is float else "a text"
    if value is None:
        return f"is missing: {rule.condition} needs {words}"
    if isinstance(value, float):
        if wanted is str:
            return f"must be a text for {rule.condition}, not {value:g}"
        return None if value >= 0 else f"must be at least 0, not {value:g}"
    if wanted is float:
        return f"must be a number for {rule.condition}, not {value!r:.60}"
    if rule.condition == "provider":
        return provider(value)
    if rule.condition == "user_level":
        return _level(value)
    return _pattern_fault(value) if rule.condition == "config_pattern" else None


def _pattern_fault(pattern: str) -> str | None:
    if pattern.startswith("^") and pattern.endswith("$"):
        try:
            compiled(pattern)
        except ValueError as error:
            return str(error)
    return None
