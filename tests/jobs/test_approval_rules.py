"""Approval rules: each condition at its edge, who is exempt, which rule decides, and which rule is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import attrs
import pytest

from actors.jobs.approval_rules import DEFAULT_RULES, Facts, check_rule, first_match, why
from actors.jobs.records import ApprovalRule, JobRequest


def facts(*, jobs: int = 0, first: bool = False, **request: Any) -> Facts:
    return Facts(JobRequest(**{"user_id": "ana", **request}), jobs, first)


def rule(condition: str, value: float | str | None = None, **fields: Any) -> ApprovalRule:
    return ApprovalRule(fields.pop("name", "a rule"), condition, value, **fields)


def matches(one: ApprovalRule, asked: Facts) -> bool:
    return first_match([one], asked) is not None


@pytest.mark.parametrize(
    ("cost", "asks"), [(None, False), (49.99, False), (50.0, False), (50.01, True), (float("nan"), True)]
)
def test_a_cost_is_asked_about_when_it_is_strictly_more(cost: float | None, asks: bool) -> None:
    """A cost that is not a number does not slip through."""
    assert matches(rule("cost_exceeds", 50), facts(estimated_cost=cost)) is asks


@pytest.mark.parametrize(("before", "asks"), [(0, False), (9, False), (10, True), (11, True)])
def test_the_job_that_makes_it_more_than_so_many_a_day_is_asked_about(before: int, asks: bool) -> None:
    assert matches(rule("daily_jobs_exceed", 10), facts(jobs=before)) is asks


@pytest.mark.parametrize(
    ("pattern", "hardware", "asks"),
    [
        ("*A100*", "NVIDIA A100 80GB", True),
        ("gpu-[ah]100", "gpu-h100", True),
        ("gpu-a100", "gpu-a100-large", False),
        ("*A100*", None, False),
        ("*", None, True),
    ],
)
def test_hardware_is_matched_by_a_glob(pattern: str, hardware: str | None, asks: bool) -> None:
    assert matches(rule("hardware_type", pattern), facts(hardware_type=hardware)) is asks


@pytest.mark.parametrize(
    ("pattern", "name", "asks"),
    [
        ("prod-*", "prod-flux", True),
        ("prod-*", "my-prod-flux", False),
        ("^prod-(flux|sdxl)$", "prod-flux", True),
        ("^prod-(flux|sdxl)$", "prod-flux-2", False),
        ("^prod$", "prod\n", False),
        ("^p.*", "prod", False),
        ("^...$", None, False),
        ("^.*$", "gr\udcfcn", True),
    ],
)
def test_a_configuration_is_matched_by_a_glob_or_between_anchors_by_a_regular_expression(
    pattern: str, name: str | None, asks: bool
) -> None:
    assert matches(rule("config_pattern", pattern), facts(config_name=name)) is asks


def test_a_regular_expression_takes_linear_time() -> None:
    """One on which a backtracking engine would not come back: this test would hang."""
    assert not matches(rule("config_pattern", "^(a|aa|a*)*b$"), facts(config_name="a" * 20_000))


def test_provider_level_and_first_job_are_asked_about_as_they_are() -> None:
    assert matches(rule("provider", "replicate"), facts(provider="replicate"))
    assert not matches(rule("provider", "replicate"), facts(provider="local"))
    assert matches(rule("user_level", "viewer"), facts(user_levels=("Viewer", "lead")))
    assert not matches(rule("user_level", "viewer"), facts(user_levels=("lead",)))
    assert matches(rule("first_job"), facts(first=True))
    assert not matches(rule("first_job"), facts())


@pytest.mark.parametrize(
    ("fields", "asks"),
    [
        ({"is_active": False}, False),
        ({"applies_to_provider": "replicate"}, False),
        ({"applies_to_provider": "local"}, True),
        ({"applies_to_level": "viewer"}, False),
        ({"applies_to_level": "lead"}, True),
        ({"exempt_levels": ("admin", "lead")}, False),
        ({"exempt_levels": ("admin",)}, True),
    ],
)
def test_a_rule_asks_only_where_it_is_active_applies_and_exempts_nobody(fields: dict[str, Any], asks: bool) -> None:
    assert matches(rule("first_job", **fields), facts(first=True, user_levels=(" LEAD", "researcher"))) is asks


def test_the_highest_priority_decides_then_the_lowest_id() -> None:
    rules = [
        rule("first_job", name="low", priority=1, rule_id=1),
        rule("first_job", name="late", priority=5, rule_id=9),
        rule("first_job", name="early", priority=5, rule_id=2),
        rule("cost_exceeds", 1, name="does not hold", priority=99, rule_id=3),
    ]
    decided = first_match(rules, facts(first=True))
    assert decided is not None
    assert decided.name == "early"
    assert first_match(reversed(rules), facts(first=True)) == decided
    assert first_match(rules, facts()) is None


@pytest.mark.parametrize(
    ("levels", "first", "cost", "name"),
    [
        (("researcher",), False, 50.01, "High Cost Jobs"),
        (("researcher",), False, 50.0, None),
        (("lead",), False, 51.0, "High Cost Jobs"),
        (("admin",), True, 51.0, None),
        (("viewer",), True, 51.0, "First Job Review"),
        (("lead",), True, 1.0, None),
        ((), True, None, "First Job Review"),
    ],
)
def test_the_two_rules_that_come_with_it(
    levels: tuple[str, ...], first: bool, cost: float | None, name: str | None
) -> None:
    """High Cost Jobs 50.00 (priority 10, exempt admin), First Job Review (20, exempt admin and lead) (B19)."""
    decided = first_match(DEFAULT_RULES, facts(first=first, user_levels=levels, estimated_cost=cost))
    assert (decided.name if decided else None) == name
    assert {one.required_approver_level for one in DEFAULT_RULES} == {"lead"}
    assert [(one.rule_id, one.priority, one.is_active) for one in DEFAULT_RULES] == [(1, 10, True), (2, 20, True)]


@pytest.mark.parametrize(
    ("one", "asked", "words"),
    [
        (
            rule("cost_exceeds", 50, name="High Cost Jobs"),
            facts(estimated_cost=60),
            "High Cost Jobs: the estimated cost of 60.00 USD exceeds 50.00 USD",
        ),
        (rule("daily_jobs_exceed", 10), facts(jobs=10), "a rule: it is job 11 of user ana in 24 hours, more than 10"),
        (rule("first_job"), facts(), "a rule: it is the first job of user ana"),
        (rule("hardware_type", "*A100*"), facts(hardware_type="A100"), "a rule: hardware A100 matches *A100*"),
        (rule("provider", "ray"), facts(provider="ray"), "a rule: it is for provider ray"),
        (rule("user_level", "viewer"), facts(), "a rule: user ana has level viewer"),
        (rule("config_pattern", "p*"), facts(config_name="prod"), "a rule: configuration prod matches p*"),
    ],
)
def test_the_reason_is_told_in_words(one: ApprovalRule, asked: Facts, words: str) -> None:
    assert why(one, asked) == words


GOOD = [
    rule("cost_exceeds", 0), rule("daily_jobs_exceed", 10), rule("hardware_type", "*"), rule("provider", "local"),
    rule("user_level", "viewer"), rule("first_job"), rule("config_pattern", "^a+$"), rule("config_pattern", "*-large"),
    *DEFAULT_RULES,
]  # fmt: skip


@pytest.mark.parametrize("one", GOOD, ids=lambda one: one.condition)
def test_a_rule_that_is_right_passes(one: ApprovalRule) -> None:
    check_rule(one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "name: must not be empty"),
        ({"name": "x" * 201}, "name: must be at most 200 characters"),
        ({"condition": "cost_exceed"}, "condition: 'cost_exceed' is not known; did you mean cost_exceeds?"),
        ({"value": "fifty"}, "value: must be a number of 0 or more, not 'fifty'"),
        ({"value": None}, "value: must be a number of 0 or more, not None"),
        ({"value": True}, "value: must be a number of 0 or more, not True"),
        ({"value": -1}, "value: must be a number of 0 or more, not -1"),
        ({"value": float("nan")}, "value: must be a number of 0 or more, not nan"),
        ({"condition": "provider", "value": ""}, "value: must be a text that is not empty, not ''"),
        ({"condition": "hardware_type", "value": 100}, "value: must be a text that is not empty, not 100"),
        ({"condition": "first_job", "value": 1}, "value: first_job takes none, not 1"),
        ({"condition": "user_level", "value": "veiwer"}, "value: 'veiwer' is not known; did you mean viewer?"),
        ({"applies_to_level": "led"}, "applies_to_level: 'led' is not known; did you mean lead?"),
        ({"exempt_levels": ("admin", "Lead")}, "exempt_levels: 'Lead' is not known; did you mean lead?"),
        ({"required_approver_level": "boss"}, "required_approver_level: 'boss' is not known; known are viewer, "),
        ({"condition": "config_pattern", "value": 100}, "value: must be a text that is not empty, not 100"),
        (
            {"condition": "config_pattern", "value": "^(a$"},
            "value: '^(a$' is not a regular expression of RE2: missing )",
        ),
        ({"condition": "config_pattern", "value": "^(?=a)$"}, "value: '^(?=a)$' is not a regular expression of RE2: "),
        (
            {"condition": "config_pattern", "value": "^\udcfc$"},
            "value: '^\\udcfc$' is not a regular expression of RE2: ",
        ),
    ],
)
def test_a_wrong_rule_is_refused_by_the_field_with_a_guess(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_rule(attrs.evolve(rule("cost_exceeds", 50), **changes))
    assert str(refused.value).startswith(message)


def test_a_rule_is_active_needs_a_lead_and_comes_with_no_priority() -> None:
    one = ApprovalRule("r", "first_job")
    assert (one.is_active, one.required_approver_level, one.priority, one.rule_id) == (True, "lead", 0, 0)


def test_of_a_user_of_whom_nothing_is_known_no_earlier_job_and_no_first_one_is_taken_for_granted() -> None:
    assert not matches(rule("first_job"), Facts(JobRequest()))
    assert not matches(rule("daily_jobs_exceed", 1), Facts(JobRequest()))
    assert matches(rule("daily_jobs_exceed", 0), Facts(JobRequest()))


def test_the_rules_that_come_with_it_are_those_that_are_promised() -> None:
    """What they cost, whom they exempt, and the numbers by which they are known (B19)."""
    assert [(one.rule_id, one.name, one.priority, one.exempt_levels) for one in DEFAULT_RULES] == [
        (1, "High Cost Jobs", 10, ("admin",)), (2, "First Job Review", 20, ("admin", "lead")),
    ]  # fmt: skip
    assert first_match(DEFAULT_RULES, facts(estimated_cost=50.0)) is None
    assert first_match(DEFAULT_RULES, facts(estimated_cost=50.01)) is DEFAULT_RULES[0]
    assert first_match(DEFAULT_RULES, facts(estimated_cost=50.01, first=True)) is DEFAULT_RULES[1]


def test_a_wrong_expression_writes_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 would write to stderr, between the log's lines."""
    with pytest.raises(ValueError, match="RE2"):
        check_rule(rule("config_pattern", "^(b$"))
    assert capfd.readouterr() == ("", "")


def test_a_rule_of_no_known_condition_is_never_passed_over_in_silence() -> None:
    with pytest.raises(KeyError):
        first_match([rule("cost_exeeds", 1)], facts())


def test_the_expression_engine_is_loaded_only_for_a_rule_that_has_one() -> None:
    code = (
        "import sys; from actors.jobs.approval_rules import *; from actors.jobs.records import *;"
        "rules = [*DEFAULT_RULES, ApprovalRule('glob', 'config_pattern', 'a*')];"
        "[check_rule(one) for one in rules]; first_match(rules, Facts(JobRequest(config_name='b')));"
        "print('re2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
