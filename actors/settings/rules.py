"""The section ``approvals.rules``: how a rule is written, and that what it names exists (B19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from actors.jobs.approval_rules import CONDITIONS, check_rule
from actors.jobs.levels import USER_LEVELS
from actors.jobs.records import ApprovalRule
from actors.jobs.suggestions import did_you_mean
from actors.validation import Shape, Wrong

FIRST_RULE_ID = 101  # the rules that come with it have the ids below

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
        "condition": known_as("condition", CONDITIONS),
        "applies_to_provider": provider,
        "applies_to_level": _level,
        "exempt_levels": _check_levels,
        "required_approver_level": _level,
    }
    validators = {name: partial(_validate, check) for name, check in checks.items()}
    return Shape(hidden={"rule_id"}, validators=validators, whole=partial(_check_whole, provider))


def _validate(check: Check, _instance: Any, _attribute: Any, value: Any) -> None:
    check(value)


def numbered(value: Any, usual: Callable[[Any], tuple[ApprovalRule, ...]]) -> tuple[ApprovalRule, ...]:
    """Rules get their ids in the order of the file, which decides between equal priorities."""
    return tuple(attrs.evolve(rule, rule_id=FIRST_RULE_ID + index) for index, rule in enumerate(usual(value)))


def _check_whole(provider: Check, rule: ApprovalRule) -> None:
    try:
        check_rule(rule)
    except ValueError as error:
        field, _, message = str(error).partition(": ")
        raise Wrong(message, field) from None
    if rule.condition == "provider":
        try:
            provider(rule.value)
        except Wrong as error:
            raise Wrong(error.message, "value") from None
