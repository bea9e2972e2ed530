"""The section ``approvals.rules``: each rule's words held against what there is (B19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from actors.jobs.expressions import compiled
from actors.jobs.levels import USER_LEVELS
from actors.jobs.records import ApprovalRule
from actors.jobs.suggestions import did_you_mean
from actors.validation import Shape, Wrong

FIRST_RULE_ID = 101  # the rules that come with it have the ids below
_CONDITIONS: Mapping[str, type | None] = {
    "cost_exceeds": float, "hardware_type": str, "provider": str, "user_level": str, "daily_jobs_exceed": float,
    "first_job": None, "config_pattern": str,
}  # fmt: skip


Check = Callable[[Any], None]
"""Raises :class:`Wrong`."""


def known_as(what: str, known: Iterable[str]) -> Check:
    """A check that a name is one of ``known``, with a guess; nothing is no fault."""
    names = list(known)

    def check(value: Any) -> None:
        if value is not None and value not in names:
            raise Wrong(f"there is no {what} {value!r:.60}{did_you_mean(str(value)[:80], names)}")

    return check


_level = known_as("level", USER_LEVELS)


def _check_levels(levels: Iterable[str]) -> None:
    for level in levels:
        _level(level)


def rule_shape(provider: Check) -> Shape:
    """How a rule is written; ``provider`` checks a provider's name."""
    checks: Mapping[str, Check] = {
        "condition": known_as("condition", _CONDITIONS),
        "applies_to_provider": provider,
        "applies_to_level": _level,
        "exempt_levels": _check_levels,
        "required_approver_level": _level,
    }
    validators = {name: partial(_validate, check) for name, check in checks.items()}
    return Shape(hidden={"rule_id"}, validators=validators, whole=partial(_check_value, provider))


def _validate(check: Check, _instance: Any, _attribute: Any, value: Any) -> None:
    check(value)


def numbered(value: Any, usual: Callable[[Any], tuple[ApprovalRule, ...]]) -> tuple[ApprovalRule, ...]:
    """Rules get their ids in the order of the file, which decides between equal priorities."""
    return tuple(attrs.evolve(rule, rule_id=FIRST_RULE_ID + index) for index, rule in enumerate(usual(value)))


def _check_value(provider: Check, rule: ApprovalRule) -> None:
    try:
        _check_value_of(rule.condition, rule.value, provider)
    except ValueError as error:
        raise Wrong(str(error), "value") from None


def _check_value_of(condition: str, value: float | str | None, provider: Check) -> None:
    """Hold a rule's value against its condition. Raises ``ValueError``."""
    wanted = _CONDITIONS[condition]
    words = "a number" if wanted is float else "a text"
    if wanted is None:
        if value is not None:
            raise Wrong(f"has no place beside {condition}")
    elif value is None:
        raise Wrong(f"is missing: {condition} needs {words}")
    elif isinstance(value, str) is not (wanted is str):
        raise Wrong(
            f"must be {words} for {condition}, not {f'{value:g}' if isinstance(value, float) else repr(value)[:60]}"
        )
    elif isinstance(value, float) and value < 0:
        raise Wrong(f"must be at least 0, not {value:g}")
    elif condition in ("provider", "user_level"):
        (provider if condition == "provider" else _level)(value)
    elif condition == "config_pattern":
        check_pattern(str(value))


def check_pattern(pattern: str) -> None:
    """Raises ``ValueError`` for a regular expression that is none."""
    if pattern.startswith("^") and pattern.endswith("$"):
        compiled(pattern)
