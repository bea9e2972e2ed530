"""Fault points and plans: what happens where, decided by a seed; off, they are not there."""

import subprocess
import sys

import pytest
import trio
import trio.testing

from supervision import (
    ChildSpec,
    ChildStartError,
    FaultPlan,
    InjectedFault,
    SpecError,
    Supervisor,
    faults,
    open_supervisor,
)
from supervision.faults import Garbled, Happened
from supervision.testing import Act, recorded


async def test_a_crash_at_the_n_th_start_of_one_child(stage, autojump_clock):
    children = [stage.spec("a", Act(lives=1), Act()), stage.spec("b")]
    with FaultPlan(seed=1).at("start.before:a", occurrence=2) as plan:
        async with open_supervisor(children) as supervisor:
            await trio.sleep(5)
            assert [child.incarnation for child in supervisor.children()] == [3, 1]
    assert plan.happened == [Happened("start.before:a", 2, "crash")]


async def test_an_exception_of_a_given_type(stage, autojump_clock):
    with (
        FaultPlan(seed=1).at("start.before", occurrence=1, exc=ConnectionError),
        pytest.raises(ChildStartError) as caught,
    ):
        async with open_supervisor(stage.specs("a")):
            pytest.fail("the block is not entered")
    assert isinstance(caught.value.__cause__, ConnectionError)


async def test_a_crash_after_the_start_is_a_failed_start(stage, autojump_clock):
    with FaultPlan(seed=1).at("start.after:a", occurrence=1), pytest.raises(ChildStartError) as caught:
        async with open_supervisor(stage.specs("a")):
            pytest.fail("the block is not entered")
    assert isinstance(caught.value.__cause__, InjectedFault)


async def test_hang_and_delay_at_a_start(stage, autojump_clock):
    children = [stage.spec("a"), stage.spec("b", start_deadline=60)]
    plan = (
        FaultPlan(seed=1)
        .at("start.before:a", occurrence=1, do="delay", delay=7)
        .at("start.before:b", probability=1, do="hang")
    )
    with plan, pytest.raises(ChildStartError):
        await Supervisor(children).run()
    assert trio.current_time() == pytest.approx(67)


async def test_cancel_ends_the_child_as_nobody_asked_to_and_that_is_a_failure(autojump_clock):
    async def child(*, task_status):
        task_status.started()
        while True:
            await trio.sleep(1)
            if faults.active is not None:
                await faults.async_point("work", "x")

    supervisor = Supervisor([ChildSpec("x", child)])
    with (
        recorded(supervisor) as reports,
        FaultPlan(seed=1).at("work:x", occurrence=3, do="cancel"),
        trio.move_on_after(5),
    ):
        await supervisor.run()
    assert [(r.at, r.reason) for r in reports if r.kind == "exit"] == [(3.0, "cancelled")]
    assert [r.at for r in reports if r.kind == "restart"] == [3.0]


async def test_a_failure_on_purpose_reads_like_a_real_one(stage, autojump_clock):
    real = Supervisor([stage.spec("x", Act(lives=0, error=InjectedFault("work")), Act())])
    with recorded(real) as expected, trio.move_on_after(1):
        await real.run()

    entries = []

    async def child(*, task_status):
        entries.append(1)
        task_status.started()
        faults.point("work")
        await trio.sleep_forever()

    injected = Supervisor([ChildSpec("x", child)])
    start = trio.current_time()
    with recorded(injected) as reports, FaultPlan(seed=1).at("work", occurrence=1), trio.move_on_after(1):
        await injected.run()
    assert [(r.kind, r.reason, repr(r.cause), r.at - start) for r in reports] == [
        (r.kind, r.reason, repr(r.cause), r.at) for r in expected
    ]


def test_what_travels_is_dropped_doubled_or_garbled():
    plan = FaultPlan(seed=1)
    plan.at("send", occurrence=1, do="drop").at("send", occurrence=2, do="duplicate").at(
        "send", occurrence=3, do="garble"
    )
    with plan:
        arrived = [faults.carry("send", number) for number in range(4)]
    assert arrived == [[], [1, 1], [Garbled(2)], [3]]


@pytest.mark.parametrize("item", ["text", b"bytes"])
def test_garbled_text_and_bytes_stay_text_and_bytes(item):
    with FaultPlan(seed=1).at("send", probability=1, do="garble"):
        arrived = [faults.carry("send", item)[0] for _ in range(20)]
    assert {type(garbled) for garbled in arrived} == {type(item)}
    assert {len(garbled) for garbled in arrived} == {len(item)}
    assert set(arrived) != {item}


def test_a_crash_where_something_travels():
    with FaultPlan(seed=1).at("send", occurrence=1), pytest.raises(InjectedFault):
        faults.carry("send", 1)


def test_the_seed_decides_what_probability_means():
    def passings(seed):
        crashed = []
        with FaultPlan(seed=seed).at("x", probability=0.3):
            for number in range(50):
                try:
                    faults.point("x")
                except InjectedFault:
                    crashed.append(number)
        return crashed

    assert passings(1) == passings(1)
    assert passings(1) != passings(2)
    assert 5 < len(passings(1)) < 30


def test_patterns_names_and_subjects():
    with FaultPlan(seed=1).at("provider.*", probability=1) as plan:
        for name, subject in [("provider.call", "ray"), ("provider.find", "")]:
            with pytest.raises(InjectedFault):
                faults.point(name, subject)
        faults.point("store.commit")
    assert [happened.point for happened in plan.happened] == ["provider.call:ray", "provider.find"]


async def test_a_sync_point_in_a_worker_thread_waits_on_trios_clock(autojump_clock):
    def commit():
        faults.point("commit")
        return "done"

    autojump_clock.autojump_threshold = 0.01  # or the clock jumps while the thread runs
    with FaultPlan(seed=1).at("commit", occurrence=1, do="delay", delay=60):
        assert await trio.to_thread.run_sync(commit) == "done"
    assert trio.current_time() >= 60


def test_a_sync_point_cannot_be_cancelled():
    with FaultPlan(seed=1).at("commit", occurrence=1, do="cancel"), pytest.raises(RuntimeError, match="not async"):
        faults.point("commit")


async def test_off_by_default_and_after_the_block():
    assert faults.active is None
    faults.point("anything")
    await faults.async_point("anything")
    assert faults.carry("anything", 1) == [1]
    with FaultPlan(seed=1, strict=False).at("anything", probability=1):
        assert faults.active is not None
    assert faults.active is None


def test_plans_do_not_nest():
    with FaultPlan(seed=1), pytest.raises(RuntimeError, match="active already"), FaultPlan(seed=2):
        pytest.fail("the block is not entered")
    assert faults.active is None


def test_a_failing_seed_prints_the_command_that_runs_it_again():
    with pytest.raises(ZeroDivisionError) as caught, FaultPlan(seed=42):
        raise ZeroDivisionError
    (note,) = caught.value.__notes__
    assert note == (
        "under a fault plan with seed 42; run it again: SUPERVISION_FAULT_SEED=42 pytest -p no:randomly "
        "'tests/supervision/test_faults.py::test_a_failing_seed_prints_the_command_that_runs_it_again'"
    )


def test_without_a_seed_the_environment_decides(monkeypatch):
    monkeypatch.setenv("SUPERVISION_FAULT_SEED", "42")
    assert FaultPlan().seed == 42


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("do", {"do": "explode", "occurrence": 1}),
        ("occurrence", {}),
        ("occurrence", {"occurrence": 1, "probability": 0.5}),
        ("occurrence", {"occurrence": 0}),
        ("probability", {"probability": 1.5}),
        ("delay", {"occurrence": 1, "delay": -1}),
        ("exc", {"occurrence": 1, "exc": "ValueError"}),
        ("exc", {"occurrence": 1, "exc": int}),
    ],
)
def test_a_wrong_rule_names_the_field(field, wrong):
    with pytest.raises(SpecError) as caught:
        FaultPlan(seed=1).at("x", **wrong)
    assert caught.value.field == field


def test_a_seed_in_the_environment_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("SUPERVISION_FAULT_SEED", "seven")
    with pytest.raises(SpecError, match="seed: must be a whole number in SUPERVISION_FAULT_SEED, not 'seven'"):
        FaultPlan()


def test_off_a_point_costs_the_test_of_a_variable():
    """No call, no coroutine, no frame: the guard is what stands in the code."""
    import dis

    from supervision import incarnations

    for function in (incarnations._run, incarnations.Readiness.started):
        names = [instruction.argval for instruction in dis.get_instructions(function)]
        assert names.index("active") < names.index("async_point" if function is incarnations._run else "point")


def test_importing_the_package_imports_no_test_tools():
    code = "import sys, supervision; print([name for name in sys.modules if name in ('pytest', 'supervision.testing')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_class_of_exceptions_that_needs_more_than_a_text_is_refused_when_the_plan_is_made():
    with pytest.raises(SpecError, match="UnicodeDecodeError is not made of one text: give an instance"):
        FaultPlan(1).at("p", occurrence=1, exc=UnicodeDecodeError)
