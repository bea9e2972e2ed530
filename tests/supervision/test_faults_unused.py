"""Rules of a fault plan that never apply: a test whose fault never happened would hold for nothing."""

from __future__ import annotations

import pytest

from supervision import FaultPlan, SpecError, faults, open_supervisor


async def test_a_plan_for_a_point_that_nothing_passes_fails_at_its_end_with_a_guess(stage, autojump_clock):
    """A test whose fault never happened would hold for nothing."""
    plan = FaultPlan(seed=1).at("start.befor:db", occurrence=1)
    with pytest.raises(SpecError, match=r"nothing passed 'start\.befor:db'; did you mean 'start\.before:db'\?"), plan:
        async with open_supervisor([stage.spec("db")]):
            pass
    assert faults.active is None


async def test_a_guess_is_made_at_the_childs_name_too_and_without_one_the_points_are_listed(stage, autojump_clock):
    with (
        pytest.raises(SpecError) as caught,
        FaultPlan(seed=1).at("start.after:databse", probability=0.5).at("xyz", occurrence=1),
    ):
        async with open_supervisor([stage.spec("database")]):
            pass
    assert "did you mean 'start.after:database'?" in str(caught.value)
    assert "nothing passed 'xyz'; passed were start.after, start.after:database, start.before" in str(caught.value)


@pytest.mark.parametrize("do", ["drop", "duplicate", "garble"])
async def test_a_fault_that_cannot_happen_at_its_point_is_an_error_of_the_plan(stage, autojump_clock, do):
    plan = FaultPlan(seed=1).at("start.before", occurrence=1, do=do)
    with pytest.raises(SpecError, match=f"'{do}' has no effect at 'start.before'"), plan:
        async with open_supervisor([stage.spec("db")]):
            pass
    assert plan.happened == []


def test_a_pattern_counts_only_the_points_where_its_fault_can_happen():
    with FaultPlan(seed=1).at("w*", occurrence=2, do="drop") as plan:
        arrived = [(faults.point("work"), faults.carry("wire", number)) for number in range(3)]
    assert [there for _, there in arrived] == [[0], [], [2]]
    assert [(one.point, one.occurrence) for one in plan.happened] == [("wire", 2)]


def test_a_point_that_was_passed_less_often_is_no_fault_of_the_plan():
    with FaultPlan(seed=1).at("work", occurrence=5) as plan:
        faults.point("work")
    assert plan.happened == []


def test_a_block_that_fails_under_such_a_plan_says_so_beside_its_own_error():
    def fails():
        with FaultPlan(seed=42).at("wrok:x", occurrence=1):
            faults.point("work", "x")
            pytest.fail("nothing broke")

    with pytest.raises(pytest.fail.Exception) as caught:
        fails()
    assert (
        "these rules of the plan never applied: nothing passed 'wrok:x'; did you mean 'work:x'?"
        in caught.value.__notes__
    )


def test_a_plan_that_need_not_strike_may_miss():
    with FaultPlan(seed=1, strict=False).at("start.befor:db", occurrence=1) as plan:
        pass
    assert plan.never_passed() == "nothing passed 'start.befor:db'; none was passed"
