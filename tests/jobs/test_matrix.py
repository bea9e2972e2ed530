"""Every combination once, values as written, ranges exact; what is refused, with its place and a suggestion (E2)."""

from __future__ import annotations

import time
from decimal import Decimal
from itertools import combinations as combinations_of
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.matrix import SweepFault, combinations, matrix_of


def made(data: Any) -> list[dict[str, str]]:
    return combinations(matrix_of(data))


def refused(data: Any) -> tuple[tuple[str | int, ...], str]:
    with pytest.raises(SweepFault) as caught:
        made(data)
    assert str(caught.value) == caught.value.message
    return caught.value.at, caught.value.message


def test_the_product_has_the_first_parameter_slowest_and_values_as_written() -> None:
    assert made({"lr": ["0.1", "0.20"], "seed": {"from": 1, "to": 2}}) == [
        {"lr": "0.1", "seed": "1"}, {"lr": "0.1", "seed": "2"},
        {"lr": "0.20", "seed": "1"}, {"lr": "0.20", "seed": "2"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "values"),
    [
        ({"from": 1, "to": 5}, "1 2 3 4 5"),
        ({"from": "0.1", "to": "0.5", "step": "0.1"}, "0.1 0.2 0.3 0.4 0.5"),
        ({"from": 0.1, "to": 0.7, "step": 0.3}, "0.1 0.4 0.7"),
        ({"from": 1, "to": 2, "step": "0.50"}, "1.00 1.50 2.00"),
        ({"from": 5, "to": 1, "step": -2}, "5 3 1"),
        ({"from": 0, "to": 5, "step": 2}, "0 2 4"),
        ({"from": 3, "to": 3}, "3"),
        ({"from": "1e-4", "to": "3e-4", "step": "1e-4"}, "0.0001 0.0002 0.0003"),
        ({"from": "-.5", "to": "0.5", "step": "+.5"}, "-0.5 0.0 0.5"),
    ],
)
def test_a_range_is_exact_and_has_as_many_decimals_everywhere(data: dict[str, Any], values: str) -> None:
    assert [one["x"] for one in made({"x": data})] == values.split()


def test_exclude_removes_what_matches_all_of_its_keys_and_include_adds_whole_ones() -> None:
    matrix = {
        "lr": [1, 2], "seed": [1, 2, 3],
        "exclude": [{"lr": 1, "seed": 2}, {"seed": 3}], "include": [{"seed": 9, "lr": 7}, {"lr": 1, "seed": 2}],
    }  # fmt: skip
    assert [(one["lr"], one["seed"]) for one in made(matrix)] == [
        ("1", "1"), ("2", "1"), ("2", "2"), ("7", "9"), ("1", "2"),
    ]  # fmt: skip
    assert made({"include": [{"a": 1, "b": "x"}, {"b": "y", "a": 2}]}) == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


def test_scalars_of_json_are_used_as_json_writes_them() -> None:
    assert [one["x"] for one in made({"x": [True, False, 3, 1e-05, 0.1, "True", "", " a,b"]})] == [
        "true", "false", "3", "1e-05", "0.1", "True", "", " a,b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "at", "message"),
    [
        ([1], (), "must be a mapping of parameters to their values, such as {lr: [0.1, 0.2]}"),
        ({}, (), "names no parameter"),
        ({"exclude": [{"a": 1}]}, (), "names no parameter"),
        ({"lr": []}, ("lr",), "must have at least one value"),
        ({"lr": 0.1}, ("lr",), "must be a list of values, or a range"),
        ({"lr": [0.1, "0.2", 0.1]}, ("lr", 2), "'0.1' is given twice"),
        ({"lr": list(range(10_001))}, ("lr",), "must have at most 10000 values, not 10001"),
        ({"lr": [None]}, ("lr", 0), "a value must be a text or a number"),
        ({"lr": [[1]]}, ("lr", 0), "a value must be a text or a number"),
        ({"lr": [float("nan")]}, ("lr", 0), "a value must be a text or a number"),
        ({"lr": ["x" * 1001]}, ("lr", 0), "a value must be at most 1000 characters"),
        ({"lr": ["a\0"]}, ("lr", 0), "a value must be UTF-8 text without NUL characters"),
        ({"lr": ["\ud800"]}, ("lr", 0), "a value must be UTF-8 text without NUL characters"),
        ({"batch-size": [1]}, ("batch-size",), "cannot be the name of a parameter"),
        ({"1st": [1]}, ("1st",), "cannot be the name of a parameter"),
        ({"a" * 201: [1]}, ("a" * 201,), "the name of a parameter must be at most 200 characters"),
        ({"exclude": [0.1, 0.2], "a": [1]}, ("exclude",), "must be a list of combinations such as {lr: 0.1}; no param"),
        ({"include": {"from": 1, "to": 2}}, ("include",), "must be a list of combinations such as {lr: 0.1}; no param"),
        ({"include": [{"exclude": 1}]}, ("include", 0, "exclude"), "no parameter can be called exclude"),
        ({"s": {"from": 1, "too": 2}}, ("s", "too"), "unknown key; did you mean to?"),
        ({"s": {"from": 1}}, ("s", "to"), "is missing"),
        ({"s": {"from": "a", "to": 2}}, ("s", "from"), "must be a number, such as 0.25"),
        ({"s": {"from": True, "to": 2}}, ("s", "from"), "must be a number, such as 0.25"),
        ({"s": {"from": 1, "to": "1e999"}}, ("s", "to"), "must be a number, such as 0.25"),
        ({"s": {"from": 1, "to": 2, "step": 0}}, ("s",), "gives no value: from plus some steps must reach to"),
        ({"s": {"from": 0.1, "to": 0.3}}, ("s", "step"), "needs a step: in steps of 1 it has one value"),
        ({"s": {"from": 5, "to": 1}}, ("s",), "gives no value: from plus some steps must reach to"),
        ({"s": {"from": 1, "to": 10_001}}, ("s",), "has 10001 values, and may have 10000"),
        ({"s": {"from": 1, "to": 999_999_999}}, ("s",), "has 999999999 values, and may have 10000"),
        ({"s": {"from": 1, "to": 10**9}}, ("s",), "has far too many values, and may have 10000"),
        ({"s": {"from": 1, "to": "1e99", "step": "1e-99"}}, ("s",), "has far too many values"),
        ({"a": list(range(101)), "b": list(range(100))}, (), "makes 10100 jobs, and one matrix makes at most 10000"),
        (
            {"lr": ["0.20"], "exclude": [{"lr": "0.2"}]},
            ("exclude", 0, "lr"),
            "lr has no value '0.2'; did you mean 0.20",
        ),
        (
            {"lr": ["0.5", "2e-1"], "exclude": [{"lr": "0.2"}]},
            ("exclude", 0, "lr"),
            "lr has no value '0.2'; did you mean 2e-1?",
        ),
        ({"lr": [1], "exclude": [{"lrr": 1}]}, ("exclude", 0, "lrr"), "is no parameter; did you mean lr?"),
        ({"lr": [1], "exclude": [{}]}, ("exclude", 0), "names no parameter, and so would remove everything"),
        ({"lr": [1], "exclude": [{"lr": 1}]}, ("exclude",), "leaves no combination"),
        ({"lr": [1], "b": [1], "include": [{"lr": 2}]}, ("include", 0), "must be whole: b is missing"),
        ({"lr": [1], "include": [{"lr": 2, "c": 1}]}, ("include", 0, "c"), "is no parameter; known are lr"),
        ({"lr": [1], "include": [{"lr": 1}]}, ("include", 0), "lr=1 is among the combinations already"),
        ({"lr": [1], "include": [{"lr": 2}, {"lr": 2}]}, ("include", 1), "lr=2 is among the combinations already"),
        ({f"p{n}": [1] for n in range(101)}, (), "must have at most 100 parameters, not 101"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(data: Any, at: tuple[str | int, ...], message: str) -> None:
    found, said = refused(data)
    assert found == at
    assert said.startswith(message)


def test_a_whole_number_of_more_than_128_bits_is_no_value() -> None:
    """No language that reads a parameter is sure to take it; as a text it stays what was written."""
    largest = 2**128 - 1
    assert [one["x"] for one in made({"x": [largest, -largest, str(2**128)]})] == [
        str(largest), str(-largest), str(2**128),
    ]  # fmt: skip
    assert refused({"x": [2**128]}) == (("x", 0), "a value must be a text or a number")


@pytest.mark.parametrize("value", ["abc", "0.2x", "1e999"])
def test_of_what_is_no_number_a_matrix_guesses_no_number(value: str) -> None:
    at, message = refused({"lr": ["0.20", "1"], "exclude": [{"lr": value}]})
    assert at == ("exclude", 0, "lr")
    assert message.startswith(f"lr has no value {value!r}")


@pytest.mark.parametrize(("zeros", "suggestion"), [(37, "; did you mean 0.5?"), (38, "; known are 0.5")])
def test_a_number_that_is_too_long_for_one_is_not_suggested(zeros: int, suggestion: str) -> None:
    value = f"0.5{'0' * zeros}"
    assert refused({"lr": ["0.5"], "exclude": [{"lr": value}]})[1] == f"lr has no value {value!r}{suggestion}"


def test_a_product_of_which_exclude_may_leave_fewer_is_bounded_too() -> None:
    def left(first: int, second: int) -> dict[str, Any]:
        return {"a": list(range(first)), "b": list(range(second)), "exclude": [{"a": n} for n in range(first - 1)]}

    assert len(made(left(10, 10_000))) == 10_000
    assert refused(left(11, 9_091))[1].startswith("makes 100001 jobs, and one matrix makes at most")


def test_a_matrix_has_at_most_a_thousand_combinations_to_leave_out() -> None:
    data: dict[str, Any] = {"a": list(range(1_002)), "exclude": [{"a": n} for n in range(1_000)]}
    assert [one["a"] for one in made(data)] == ["1000", "1001"]
    data["exclude"].append({"a": 1_000})
    assert refused(data) == (("exclude",), "must have at most 1000 combinations, not 1001")


def test_a_number_of_a_range_has_at_most_forty_characters() -> None:
    longest = "1." + 38 * "0"
    assert made({"x": {"from": longest, "to": longest}}) == [{"x": longest}]
    at, message = refused({"x": {"from": longest + "0", "to": 2}})
    assert at == ("x", "from")
    assert message == "must be a number, such as 0.25, of at most 40 characters"


def test_what_exclude_leaves_is_what_counts() -> None:
    """The product may be larger than what one matrix makes."""
    data: dict[str, Any] = {"a": list(range(100)), "b": list(range(101)), "exclude": [{"b": 100}]}
    assert len(made(data)) == 10_000
    assert refused({**data, "include": [{"a": 0, "b": 100}]})[1].startswith("makes 10001 jobs")


def test_more_looks_than_a_matrix_may_take_are_refused_before_the_first() -> None:
    values: dict[str, Any] = {name: {"from": 1, "to": 10} for name in "abcde"}
    exclude = [dict.fromkeys(pair, 1) for pair in combinations_of("abcde", 2)]  # of ten kinds
    assert "jobs, and one matrix makes at most" in refused({**values, "exclude": exclude})[1]
    at, message = refused({**values, "exclude": [*exclude, {"a": 1}]})
    assert at == ("exclude",)
    assert message == "has too many patterns for 100000 combinations; use fewer patterns"
    ones: dict[str, Any] = {f"p{n}": [1] for n in range(7)}
    kinds = [dict.fromkeys(some, 1) for n in range(8) for some in combinations_of(ones, n)][:101]
    for product_, good in ((9_900, True), (9_901, False)):  # 101 kinds, a million looks and one more
        wide = {"a": list(range(product_)), **ones, "exclude": [{"a": 0, **one} for one in kinds]}
        assert len(made(wide)) == 9_899 if good else refused(wide)[1].startswith("has too many patterns")


def test_a_hostile_matrix_takes_no_time() -> None:
    """Neither a product of 10^200 nor a thousand kinds of what is left out is walked through."""
    began = time.process_time()
    refused({f"p{n}": list(range(100)) for n in range(100)})
    refused(
        {f"p{n}": [0, 1] for n in range(16)} | {"exclude": [{f"p{n % 16}": 0, f"p{n // 16}": 0} for n in range(1000)]}
    )
    assert len(made({f"p{n}": [0, 1] for n in range(13)} | {"exclude": [{f"p{n}": 0} for n in range(13)]})) == 1
    assert time.process_time() - began < 5


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
VALUES = st.lists(WORDS, min_size=1, max_size=4, unique=True)


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    values = {name: draw(VALUES) for name in names}
    some = st.lists(st.sampled_from(names), min_size=1, unique=True)
    exclude = [
        {name: draw(st.sampled_from(values[name])) for name in draw(some)} for _ in range(draw(st.integers(0, 3)))
    ]
    return {**values, "exclude": exclude}


@given(matrices())
def test_every_combination_that_is_not_left_out_stands_there_once_in_order(data: dict[str, Any]) -> None:
    names = [name for name in data if name != "exclude"]
    product_ = [dict(zip(names, chosen, strict=True)) for chosen in product(*(data[name] for name in names))]
    left = [one for one in product_ if not any(out.items() <= one.items() for out in data["exclude"])]
    if left:
        assert made(data) == made(data) == left
    else:
        assert refused(data) == (("exclude",), "leaves no combination")


@given(matrices(), st.data())
def test_what_is_included_again_was_left_out(data: dict[str, Any], drawn: st.DataObject) -> None:
    names = [name for name in data if name != "exclude"]
    whole = {name: drawn.draw(st.sampled_from(data[name])) for name in reversed(names)}
    if any(out.items() <= whole.items() for out in data["exclude"]):
        assert made({**data, "include": [whole]})[-1] == whole
    else:
        assert refused({**data, "include": [whole]})[0] == ("include", 0)


NUMBERS = st.decimals(-1000, 1000, places=3)


@given(NUMBERS, st.integers(0, 50), NUMBERS.filter(bool), st.decimals(0, "0.999", places=3))
def test_a_range_is_what_decimal_arithmetic_gives(first: Decimal, steps: int, step: Decimal, more: Decimal) -> None:
    """Whatever part of a step stands between its last value and the end."""
    data = {"from": str(first), "to": format(first + step * (steps + more), "f"), "step": str(step)}
    assert [Decimal(one["x"]) for one in made({"x": data})] == [first + step * index for index in range(steps + 1)]
