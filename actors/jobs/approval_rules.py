"""Which jobs need an approval: rules are tried by priority, and the first one that applies decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import attrs

from actors.jobs import globs, maxima
from actors.jobs.levels import LEVELS, normalised
from actors.jobs.records import ApprovalRule, JobRequest
from actors.jobs.suggestions import did_you_mean

DEFAULT_RULES = (
    ApprovalRule("High Cost Jobs", "cost_exceeds", 50.0, priority=10, exempt_levels=("admin",), rule_id=1),
    ApprovalRule("First Job Review", "first_job", None, priority=20, exempt_levels=("admin", "lead"), rule_id=2),
)


@attrs.frozen
class Facts:
    """What the rules need to know about one request.

    ``jobs_last_24h``: how many jobs its user submitted in the 24 h before it, without this one. ``is_first_job``:
    whether that user never submitted one before.
    """

    request: JobRequest
    jobs_last_24h: int = 0
    is_first_job: bool = False


def first_match(rules: Iterable[ApprovalRule], facts: Facts) -> ApprovalRule | None:
    """The rule that decides: of the active ones that apply, the one with the highest priority, then with the lowest id.

    The rules must have passed :func:`check_rule`; an unknown condition is a ``KeyError``, because a rule that is
    silently skipped would let jobs run that need an approval.
    """
    levels = frozenset(normalised(level) for level in facts.request.user_levels)
    ordered = sorted((rule for rule in rules if rule.is_active), key=lambda rule: (-rule.priority, rule.rule_id))
    return next((rule for rule in ordered if _applies(rule, facts, levels)), None)


def why(rule: ApprovalRule, facts: Facts) -> str:
    """Why ``rule``, which applies, requires an approval, in words."""
    return f"{rule.name}: {CONDITIONS[rule.condition].why(rule, facts)}"


def check_rule(rule: ApprovalRule) -> None:
    """Raises ``ValueError``, which names the wrong field and suggests what was meant."""
    if (fault := maxima.fault_of(rule)) is not None:
        raise ValueError(f"{fault[0]}: {fault[1]}")
    if not rule.name.strip():
        raise ValueError("name: must not be empty")
    _check_known("condition", rule.condition, CONDITIONS)
    CONDITIONS[rule.condition].check(rule.value)
    named = [("applies_to_level", rule.applies_to_level), ("required_approver_level", rule.required_approver_level)]
    for field, level in [*named, *(("exempt_levels", level) for level in rule.exempt_levels)]:
        if level is not None:
            _check_known(field, level, LEVELS)


def _applies(rule: ApprovalRule, facts: Facts, levels: frozenset[str]) -> bool:
    """Whether the rule is for such a job, and its condition holds."""
    if rule.applies_to_provider is not None and rule.applies_to_provider != facts.request.provider:
        return False
    if rule.applies_to_level is not None and rule.applies_to_level not in levels:
        return False
    return levels.isdisjoint(rule.exempt_levels) and CONDITIONS[rule.condition].holds(rule.value, facts)


@attrs.frozen
class _Condition:
    """One kind of condition: when it holds, its text, and what its value must be.

    ``meaning``, ``value``: the same in words for docs/approvals.md.
    """

    holds: Callable[[float | str | None, Facts], bool]
    why: Callable[[ApprovalRule, Facts], str]
    check: Callable[[float | str | None], None]
    meaning: str
    value: str


def _cost_exceeds(value: float | str | None, facts: Facts) -> bool:
    cost = facts.request.estimated_cost
    return cost is not None and not cost <= _number(value)  # "not <=": a cost that is not a number (NaN) is asked about


def _config_pattern(value: float | str | None, facts: Facts) -> bool:
    pattern, name = str(value), facts.request.config_name or ""
    if not _is_expression(pattern):
        return globs.fits(name, pattern)
    # RE2 reads UTF-8; a name from a command line may hold lone surrogates.
    return compiled(pattern).search(name.encode("utf-8", "replace").decode()) is not None


def _is_expression(pattern: str) -> bool:
    return pattern.startswith("^") and pattern.endswith("$")


def _number(value: float | str | None) -> float:
    return float(value or 0)


def _check_known(field: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise ValueError(f"{field}: {name!r} is not known{did_you_mean(name, known)}")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)


def _check_number(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"value: must be a number of 0 or more, not {_shown(value)}")


def _check_text(value: float | str | None) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"value: must be a text that is not empty, not {_shown(value)}")


def _check_absent(value: float | str | None) -> None:
    if value is not None:
        raise ValueError(f"value: first_job takes none, not {_shown(value)}")


def _check_pattern(value: float | str | None) -> None:
    _check_text(value)
    if not _is_expression(str(value)):
        return
    try:
        compiled(str(value))
    except ValueError as error:
        raise ValueError(f"value: {value!r} {error}") from error


CONDITIONS: dict[str, _Condition] = {
    "cost_exceeds": _Condition(
        _cost_exceeds,
        lambda rule, facts: (
            f"the estimated cost of {facts.request.estimated_cost:.2f} USD exceeds {_number(rule.value):.2f} USD"
        ),
        _check_number,
        "The estimated cost of the job (`--cost`) is above the value. A job without an estimate is not held.",
        "a number of USD",
    ),
    "hardware_type": _Condition(
        lambda value, facts: globs.fits(facts.request.hardware_type or "", str(value)),
        lambda rule, facts: f"hardware {facts.request.hardware_type or 'of no stated type'} matches {rule.value}",
        _check_text,
        "The hardware type of the job (`--hardware`) matches.",
        "a glob",
    ),
    "provider": _Condition(
        lambda value, facts: facts.request.provider == value,
        lambda rule, facts: f"it is for provider {facts.request.provider}",
        _check_text,
        "The job is for this provider.",
        "the name of a provider",
    ),
    "user_level": _Condition(
        lambda value, facts: value in set(map(normalised, facts.request.user_levels)),
        lambda rule, facts: f"user {facts.request.user_id} has level {rule.value}",
        lambda value: _check_known("value", str(value), LEVELS),
        "The submitter has this level.",
        "a level",
    ),
    "daily_jobs_exceed": _Condition(
        lambda value, facts: facts.jobs_last_24h + 1 > _number(value),
        lambda rule, facts: (
            f"it is job {facts.jobs_last_24h + 1} of user {facts.request.user_id} in 24 hours, "
            f"more than {_number(rule.value):g}"
        ),
        _check_number,
        "The user has submitted more jobs than this in the last 24 hours, this one included.",
        "a number",
    ),
    "first_job": _Condition(
        lambda value, facts: facts.is_first_job,
        lambda rule, facts: f"it is the first job of user {facts.request.user_id}",
        _check_absent,
        "It is the first job that this user ever submitted.",
        "none",
    ),
    "config_pattern": _Condition(
        _config_pattern,
        lambda rule, facts: f"configuration {facts.request.config_name or 'without a name'} matches {rule.value}",
        _check_pattern,
        "The name of the job (`--name`) matches.",
        "a glob, or a regular expression (RE2) if it begins with `^` and ends with `$`",
    ),
}


@lru_cache(maxsize=1000)
def compiled(expression: str) -> Any:
    """``expression`` as an object of ``re2``. Raises ``ValueError`` saying what is wrong, and writes nothing itself."""
    import re2  # 3 MB that only such an expression needs

    options = re2.Options()
    options.log_errors = False  # else the library writes to stderr by itself
    try:
        return re2.compile(expression, options)
    except (re2.error, UnicodeError) as error:
        said = error.args[0]
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(error)
        raise ValueError(f"is not a regular expression of RE2: {reason}") from error
