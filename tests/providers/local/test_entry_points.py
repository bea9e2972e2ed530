"""A value fills its place in one argument, is what its parameter allows, and is never taken for something else."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.providers.entry_points import EntryPoint, Param
from actors.providers.errors import Invalid


def argv(param: Param, value: Any, place: str = "--x={x}") -> tuple[str, ...]:
    return EntryPoint(("run", place), {"x": param}).argv({"x": value})


@pytest.mark.parametrize(
    ("param", "value", "argument"),
    [
        (Param(), "a b; rm -rf ~"[:3], "--x=a b"),
        (Param("int"), 3, "--x=3"),
        (Param("float"), 0.5, "--x=0.5"),
        (Param("float"), 2, "--x=2"),
        (Param("bool"), True, "--x=true"),
        (Param(choices=("small", "large")), "large", "--x=large"),
        (Param(pattern="[a-z]{2}"), "ab", "--x=ab"),
        (Param(), "größe", "--x=größe"),
    ],
)
def test_a_value_that_fits_takes_its_place(param: Param, value: Any, argument: str) -> None:
    assert argv(param, value) == ("run", argument)


@pytest.mark.parametrize(
    ("param", "text"),
    [
        (Param("float", min=0.1, max=1), "0.20"), (Param("float"), "1e-4"), (Param("int", max=5), "+5"),
        (Param("int", choices=(1, 2)), "2"), (Param("bool"), "True"), (Param(), "0.20"), (Param(choices=("1",)), "1"),
    ],
)  # fmt: skip
def test_a_number_of_a_matrix_is_checked_as_a_number_and_used_as_it_was_written(param: Param, text: str) -> None:
    entry = EntryPoint(("run", "--x={x}"), {"x": param})
    assert entry.argv({"x": text}, swept=True) == ("run", f"--x={text}")
    if param.type != "str":
        with pytest.raises(Invalid):
            entry.argv({"x": text})


@pytest.mark.parametrize(
    ("param", "text", "fault"),
    [
        (Param("float", max=1), "1.5", "params.x must be at most 1"),
        (Param("int"), "1.5", "params.x must be a whole number, not 1.5"),
        (Param("int"), "010", "params.x must be a whole number, not 010"),
        (Param("float"), ".inf", "params.x must be a finite number, not .inf"),
        (Param("bool"), "yes", "params.x must be true or false, not yes"),
        (Param("int"), "-5", "params.x: '-5' must not begin with '-': it would be taken for an option"),
        (Param(), "--rm", "params.x: '--rm' must not begin with '-': it would be taken for an option"),
    ],
)
def test_a_value_of_a_matrix_that_does_not_fit_is_refused(param: Param, text: str, fault: str) -> None:
    with pytest.raises(Invalid) as caught:
        EntryPoint(("run", "{x}"), {"x": param}).argv({"x": text}, swept=True)
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    ("param", "value", "fault"),
    [
        (Param("int"), "3", "must be a whole number, not '3'"),
        (Param("int"), True, "must be a whole number"),
        (Param("int"), 3.0, "must be a whole number"),
        (Param("float"), float("nan"), "must be a finite number"),
        (Param("float"), float("inf"), "must be a finite number"),
        (Param("bool"), 1, "must be true or false"),
        (Param(), 3, "must be a text"),
        (Param("int", min=1), 0, "must be at least 1"),
        (Param("int", max=9), 10, "must be at most 9"),
        (Param(min=2), "a", "must be at least 2 characters"),
        (Param(max=2), "abc", "must be at most 2 characters"),
        (Param(), "x" * 1025, "must be at most 1024 characters"),
        (Param(choices=("a", "b")), "c", "must be one of a, b"),
        (Param(pattern="[a-z]{2}"), "abc", r"must match [a-z]{2}"),
        (Param(pattern="(?s).*"), "a\0", "must not hold a NUL"),
        (Param(), "a\nb", "may hold letters"),
        (Param(), "$(id)", "may hold letters"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(param: Param, value: Any, fault: str) -> None:
    with pytest.raises(Invalid) as refused:
        argv(param, value)
    assert f"params.x {fault}" in str(refused.value)


def test_a_text_is_never_taken_for_an_option() -> None:
    """Whatever the argument is made of: only the configuration's own text, or a choice that it lists, begins one."""
    with pytest.raises(Invalid, match="would be taken for an option"):
        argv(Param(), "--help", place="{x}")
    assert argv(Param(), "-1", place="--x={x}") == ("run", "--x=-1")
    assert argv(Param(choices=("--fast", "--slow")), "--fast", place="{x}") == ("run", "--fast")
    assert argv(Param(pattern="[a-z]+"), "fast", place="--{x}") == ("run", "--fast")


VALUES = {  # for each type of a parameter: values that are accepted, among them such as begin with a minus sign
    "str": ("", "a", "-", "-rf", "--x=1"), "int": (0, 7, -1), "float": (0.5, -0.5, -1e-9), "bool": (True, False),
}  # fmt: skip
TEMPLATES = ("{a}", "{a}{b}", "{a}x", "x{a}", "-{a}", "--k={a}", "{{{a}", "{a}{b}{a}")


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kinds", list(itertools.product(VALUES, VALUES)), ids="-".join)
def test_a_finished_argument_is_an_option_only_where_the_configuration_says_so(
    template: str, kinds: tuple[Any, Any]
) -> None:
    """For every template, every pair of types, and values that alone or together begin with a minus sign."""
    used = [name for name in ("a", "b") if f"{{{name}}}" in template]
    params = dict(zip(used, (Param(kind, pattern=".*" if kind == "str" else None) for kind in kinds), strict=False))
    entry = EntryPoint(("run", template), params)
    for values in itertools.product(*(VALUES[kind] for kind, _ in zip(kinds, used, strict=False))):
        given = dict(zip(used, values, strict=True))
        made = template.format_map({name: str(value).lower() for name, value in given.items()})
        if made.startswith("-") and not template.startswith("-"):
            with pytest.raises(Invalid, match="would be taken for an option"):
                entry.argv(given)
        else:
            assert entry.argv(given) == ("run", made)


@given(st.text())
def test_whatever_the_text_there_is_one_argument_for_it(text: str) -> None:
    """Spaces, quotes and braces in a value make no second argument and no second place."""
    assert argv(Param(pattern="(?s).*"), text.replace("\0", "")) == ("run", f"--x={text}".replace("\0", ""))


def test_defaults_missing_and_unknown_parameters() -> None:
    entry = EntryPoint(("run", "{a}-{b}", "{{}}"), {"a": Param("int", default=0), "b": Param()})
    assert entry.argv({"b": "x"}) == ("run", "0-x", "{}")
    with pytest.raises(Invalid) as refused:
        entry.argv({"bb": 1})
    assert str(refused.value) == "params.bb is unknown; did you mean b?; params.b is missing"


@pytest.mark.parametrize(
    ("command", "params", "fault"),
    [
        ((), {}, "must name a program"),
        (("",), {}, "must name a program"),
        (("run", "{x}"), {}, "uses {x}, which is not among params"),
        (("run",), {"x": Param()}, "params.x is used nowhere"),
        (("{x}", "a"), {"x": Param()}, "the program itself"),
        (("run", "{x.y}"), {"x": Param()}, "a place is a plain name"),
        (("run", "{x[0]}"), {"x": Param()}, "a place is a plain name"),
        (("run", "{x!r}"), {"x": Param()}, "a place is a plain name"),
        (("run", "{x:>9}"), {"x": Param()}, "a place is a plain name"),
        (("run", "{}"), {}, "a place is a plain name"),
    ],
)
def test_a_wrong_entry_point_is_refused_when_it_is_configured(
    command: tuple[str, ...], params: dict[str, Param], fault: str
) -> None:
    with pytest.raises(ValueError) as refused:
        EntryPoint(command, params)
    assert fault in str(refused.value)


def test_a_pattern_is_linear_in_time_or_refused() -> None:
    """RE2: no back-references, so that nobody's value can keep the runtime busy."""
    with pytest.raises(ValueError, match="RE2"):
        Param(pattern=r"(a)\1")
