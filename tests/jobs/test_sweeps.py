"""Placeholders: filled once and only where they may stand; names by number; the same sweep, the same jobs (E2)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.matrix import SweepFault, matrix_of
from actors.jobs.placeholders import FILLED
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep, expand

LR = {"lr": ["0.1", "0.20"]}


def swept(matrix: Any = LR, keys: tuple[str, ...] = (), **fields: Any) -> list[JobRequest]:
    return expand(Sweep(JobRequest(**fields), matrix_of(matrix), keys))


def test_a_placeholder_is_filled_in_each_field_that_may_hold_one() -> None:
    first, second = swept(
        command=("train", "--lr={lr}", "{lr}{lr}"), config_name="t-{lr}", cwd="/data/{lr}", env={"{lr}": "{lr}"},
        params={"rate": "{lr}", "list": ["{lr}", 1]}, spec={"deep": {"{lr}": "at {lr}"}}, group="{lr}",
        inherited_env={"A": "{lr}"}, hardware_type="{lr}",
    )  # fmt: skip
    assert second == JobRequest(
        command=("train", "--lr=0.20", "0.200.20"), config_name="t-0.20", cwd="/data/0.20", env={"{lr}": "0.20"},
        params={"rate": "0.20", "list": ["0.20", 1]}, spec={"deep": {"{lr}": "at 0.20"}}, group="{lr}",
        inherited_env={"A": "{lr}"}, hardware_type="{lr}", parameters={"lr": "0.20"},
    )  # fmt: skip
    assert first.parameters == {"lr": "0.1"}


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("{lr}", "0.1"), ("{{lr}}", "{lr}"), ("{{{lr}}}", "{0.1}"), ("{}", "{}"), ("{0}", "{0}"), ("{lr", "{lr"),
        ("lr}", "lr}"), ("{lr:.2f}", "{lr:.2f}"), ('{"a": 1}', '{"a": 1}'), ("${{HOME}}", "${HOME}"), ("}}", "}"),
        ("{{", "{"), ("{ lr }", "{ lr }"), ("{lr!r}", "{lr!r}"), ("{a-b}", "{a-b}"), ("\udc80{lr}", "\udc800.1"),
    ],
)  # fmt: skip
def test_double_braces_are_braces_and_any_other_brace_is_text(written: str, filled: str) -> None:
    assert swept({"lr": ["0.1"]}, command=("a", written))[0].command == ("a", filled)


def test_a_value_that_looks_like_a_placeholder_is_text() -> None:
    """Filled once, in whichever order the parameters stand."""
    (one,) = swept({"a": ["{b}"], "b": ["{a}"]}, command=("{a}", "{b}"))
    assert one.command == ("{b}", "{a}")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("t-{lr}", ["t-0.1", "t-0.20"]),
        ("t", ["t-1", "t-2"]),
        ("{{lr}}", ["{lr}-1", "{lr}-2"]),
        ("}}", ["}-1", "}-2"]),
        (None, [None, None]),
    ],
)
def test_without_a_placeholder_in_it_a_name_is_numbered(name: str | None, names: list[str | None]) -> None:
    assert [one.config_name for one in swept(command=("a",), config_name=name)] == names


@pytest.mark.parametrize(
    ("fields", "at", "message"),
    [
        ({"command": ("a", "{rl}")}, ("command", 1), "has {rl}, and the matrix has no rl; known are lr"),
        ({"command": ("a", "{lrr}")}, ("command", 1), "has {lrr}, and the matrix has no lrr; did you mean lr?"),
        ({"spec": {"a": ["{x}"]}}, ("spec", "a", 0), "has {x}, and the matrix has no x; known are lr"),
        ({"env": {"A": "{HOME}"}}, ("env", "A"), "has {HOME}, and the matrix has no HOME; known are lr"),
        ({"config_name": "{x}"}, ("config_name",), "has {x}, and the matrix has no x; known are lr"),
        ({"cwd": "/{größe}"}, ("cwd",), "has {größe}, and the matrix has no größe; known are lr"),
    ],
)
def test_a_placeholder_that_nothing_fills_is_refused_with_a_guess(
    fields: dict[str, Any], at: tuple[str | int, ...], message: str
) -> None:
    with pytest.raises(SweepFault) as caught:
        swept(**fields)
    assert (caught.value.at, caught.value.message) == (at, message)


def test_each_job_has_its_own_key_or_the_common_one_with_its_number() -> None:
    assert [one.idempotency_key for one in swept(keys=("x", "y"))] == ["x", "y"]
    assert [one.idempotency_key for one in swept(idempotency_key="k")] == ["k-1", "k-2"]
    assert [one.idempotency_key for one in swept()] == [None, None]
    with pytest.raises(SweepFault, match="has 1 keys for 2 jobs"):
        swept(keys=("x",))


TEXTS = st.text(st.sampled_from("{}ab "), max_size=8)


@given(st.lists(TEXTS, max_size=3), TEXTS, st.lists(TEXTS, min_size=1, max_size=3, unique=True))
def test_the_same_sweep_makes_the_same_jobs_whatever_its_texts_are(
    command: list[str], name: str, values: list[str]
) -> None:
    """Each differs from its request by filled fields alone, and has one of the values."""
    request = JobRequest(command=tuple(command), config_name=name, spec={"a": [name, *command]})
    sweep = Sweep(request, matrix_of({"a": values, "b": ["1"], "ab": ["2"]}))
    try:
        jobs = expand(sweep)
    except SweepFault:
        return  # a placeholder of another name
    assert jobs == expand(sweep)
    assert [one.parameters["a"] for one in jobs] == values
    same = dict.fromkeys((*FILLED, "parameters"))
    assert {str(attrs.evolve(one, **same)) for one in jobs} == {str(attrs.evolve(request, **same))}
