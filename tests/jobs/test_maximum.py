"""Bounds on values: at the bound a value passes, one above it is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from actors.jobs import maxima, selections
from actors.jobs.maximum import Bytes, Items, Pairs, Text, Tree, json_size
from actors.jobs.records import ApprovalRule, JobRequest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("maximum", "within", "beyond", "fault"),
    [
        (Text(3), "äbc", "abcd", "must be at most 3 characters"),
        (Bytes(3), "äb", "äbc", "must be at most 3 bytes, not 4"),
        (Bytes(3), b"abc", b"abcd", "must be at most 3 bytes, not 4"),
        (Items(2), [1, 2], [1, 2, 3], "must have at most 2 items, not 3"),
        (Items(2, Text(3)), ["abc"], ["abc", "abcd"], "item 1 must be at most 3 characters"),
        (Items(2, Text(3)), "abc", "abcd", "must be at most 3 characters"),
        (Items(9, Text(9), 8), ["abc", "abc"], ["abc", "abcd"], "must be at most 8 bytes in all, not 9"),
        (Pairs(1, Text(1), Text(2), 99), {"a": "bc"}, {"a": "", "b": ""}, "must have at most 1 names, not 2"),
        (Pairs(1, Text(1), Text(2), 99), {"a": "bc"}, {"ab": ""}, "has a name that must be at most 1 characters"),
        (Pairs(1, Text(1), Text(2), 99), {"a": "bc"}, {"a": "bcd"}, "a: must be at most 2 characters"),
        (Pairs(9, Text(9), Text(9), 8), {"abc": "abc"}, {"abc": "abcd"}, "must be at most 8 bytes in all, not 9"),
        (Tree(7), {"a": 1}, {"a": 12}, "must be at most 7 bytes as JSON, not 8"),
    ],
)
def test_a_value_at_the_bound_passes_and_one_above_it_is_refused(maximum, within, beyond, fault):
    assert maximum.fault(within) is None
    assert maximum.fault(beyond) == fault


@pytest.mark.parametrize("maximum", [Text(0), Bytes(0), Items(0), Pairs(0, Text(0), Text(0), 0), Tree(0)])
def test_no_value_passes_each_bound(maximum):
    assert maximum.fault(None) is None


@pytest.mark.parametrize("maximum", [Text(0), Bytes(0), Items(0), Pairs(0, Text(0), Text(0), 0)])
def test_a_value_of_another_type_is_left_to_others(maximum):
    assert maximum.fault(12) is None


@pytest.mark.parametrize(
    ("maximum", "schema"),
    [
        (Text(3), {"maxLength": 3}),
        (Bytes(3), {"maxLength": 3, "description": "At most 3 bytes as UTF-8"}),
        (Items(2), {"maxItems": 2}),
        (Items(2, Text(3), 9), {"maxItems": 2, "items": {"maxLength": 3}, "description": "At most 9 bytes in all"}),
        (
            Pairs(1, Text(2), Text(3), 9),
            {
                "maxProperties": 1, "propertyNames": {"maxLength": 2}, "additionalProperties": {"maxLength": 3},
                "description": "At most 9 bytes in all",
            },
        ),
        (Tree(7), {"description": "At most 7 bytes as JSON"}),
    ],
)  # fmt: skip
def test_a_bound_is_told_in_the_words_of_json_schema(maximum, schema):
    assert maximum.schema() == schema


def test_what_json_cannot_hold_has_no_size_and_is_refused():
    assert json_size({1, 2}) is None
    assert Tree(99).fault({1, 2}) == "must be plain data, as JSON can hold it"
    assert json_size({"n": 2**70}) == len('{"n": 1180591620717411303424}')
    assert json_size({"ä": 2**70}) == len('{"ä": 1180591620717411303424}'.encode())


def test_a_bound_is_a_validator_that_names_the_field():
    @attrs.define
    class Holder:
        text: str = attrs.field(validator=Text(2))

    assert Holder("ab").text == "ab"
    with pytest.raises(ValueError, match=r"^text must be at most 2 characters$"):
        Holder("abc")


@pytest.mark.parametrize("field", ["name", "required_approver_level"])
def test_a_record_is_refused_by_the_name_of_the_field_that_is_too_large(field):
    rule = attrs.evolve(ApprovalRule("costly", "cost_exceeds", 5.0), **{field: "x" * 100_000})
    name, fault = maxima.fault_of(rule)
    assert name == field
    assert fault.startswith("must be at most")
    assert maxima.fault_of(ApprovalRule("costly", "cost_exceeds", 5.0)) is None


@pytest.mark.parametrize(
    ("field", "most", "value"),
    [
        ("provider", 200, lambda number: "x" * number),
        ("requires_approval", 2_000, lambda number: "x" * number),
        ("command", 10_000, lambda number: ("x",) * number),
        ("command", 131_071, lambda number: ("x" * number,)),
        ("cwd", 4_095, lambda number: "/".ljust(number, "x")),
        ("env", 1_000, lambda number: {f"V{one}": "" for one in range(number)}),
        ("env_from", 100, lambda number: ("X",) * number),
        ("after", 10_000, lambda number: ("x",) * number),
    ],
)
def test_a_job_of_the_largest_value_passes_and_one_above_it_is_refused(
    field: str, most: int, value: Callable[[int], Any]
) -> None:
    assert maxima.fault_of(JobRequest(**{field: value(most)})) is None
    fault = maxima.fault_of(JobRequest(**{field: value(most + 1)}))
    assert fault is not None
    assert fault[0] == field
    assert f"at most {most}" in fault[1]


def test_a_value_of_a_rule_has_at_most_a_thousand_characters() -> None:
    assert maxima.fault_of(ApprovalRule("r", "config_pattern", "x" * 1_000)) is None
    assert maxima.fault_of(ApprovalRule("r", "config_pattern", "x" * 1_001)) is not None


def test_the_documented_maxima_are_those_that_hold() -> None:
    mib = 1 << 20
    for page, words in (
        ("dependencies", f"A job waits for at most {maxima.PARENTS:,} others"),
        ("dependencies", f"the jobs of one submission wait for at most {maxima.BATCH_PARENTS:,}."),
        ("http", f"`queue.max_waiting_per_user` ({maxima.WAITING:,}) jobs waiting"),
        ("http", f"names {maxima.NAME} characters, reasons {maxima.REASON:,}, `spec` and"),
        (
            "http",
            f"`spec` and `params` {maxima.SPEC >> 10} KiB, one word of a command {maxima.WORD_BYTES + 1 >> 10} KiB",
        ),
        ("http", f"a job {maxima.BODY / mib:g} MiB in all, a list of jobs {maxima.BATCH / mib:g} MiB"),
        ("operations", f"A selection has at most {selections.MOST:,} jobs."),
        ("http", f"MiB and {maxima.BATCH_JOBS:,} jobs. They apply"),
        ("http", f"A list returns at most {maxima.ROWS:,} rows and {maxima.ANSWER / mib:g} MiB"),
        ("security", f"of a whole list; a sign-in | {maxima.VALUES:,}; {maxima.BATCH_VALUES:,};"),
    ):
        assert words in " ".join((DOCS / f"{page}.md").read_text().split()), words
