"""Specifications are checked before any child runs; the error names the field and guesses."""

import functools
import inspect
import math

import attrs
import pytest
import trio

from supervision import (
    AutoShutdown,
    Backoff,
    ChildInfo,
    ChildSpec,
    Count,
    OnGiveUp,
    Report,
    Restart,
    SpecError,
    Strategy,
    Supervisor,
    open_supervisor,
)


async def run(*, task_status=trio.TASK_STATUS_IGNORED):
    task_status.started()


async def no_task_status():
    pass


async def anything(*args, **options):
    pass


def test_the_defaults():
    spec = ChildSpec("a", run)
    assert (spec.args, spec.restart, spec.shutdown, spec.start_deadline, spec.heartbeat, spec.backoff) == (
        (),
        Restart.PERMANENT,
        None,
        None,
        None,
        None,
    )
    assert (spec.on_give_up, spec.significant, spec.shutdown_limit) == (OnGiveUp.ESCALATE, False, 5.0)


def test_an_enum_member_is_as_good_as_its_value():
    assert ChildSpec("a", run, restart=Restart.TRANSIENT) == ChildSpec("a", run, restart="transient")
    assert Strategy("rest_for_one") is Strategy.REST_FOR_ONE
    Supervisor([ChildSpec("a", run)], strategy=Strategy.ONE_FOR_ALL, auto_shutdown=AutoShutdown.NEVER)


@pytest.mark.parametrize(
    ("field", "wrong", "hint"),
    [
        ("id", {"id": ""}, "non-empty"),
        ("id", {"id": 3}, "non-empty string, not 3"),
        ("start", {"start": None}, "async function"),
        ("start", {"start": no_task_status}, "no_task_status must accept the keyword argument task_status"),
        ("start", {"start": Supervisor()}, "did you mean its `.run`"),
        ("args", {"args": 3}, "tuple"),
        ("args", {"args": "abc"}, "tuple"),
        ("restart", {"restart": "permanant"}, "did you mean 'permanent'"),
        ("restart", {"restart": True}, "known are permanent, transient, temporary"),
        ("shutdown", {"shutdown": -1}, "at least 0"),
        ("shutdown", {"shutdown": "5"}, "must be a number"),
        ("shutdown", {"shutdown": float("nan")}, "must be a number"),
        ("start_deadline", {"start_deadline": 0}, "more than 0"),
        ("heartbeat", {"heartbeat": True}, "must be a number"),
        ("backoff", {"backoff": 3}, "must be a Backoff"),
        ("on_give_up", {"on_give_up": "parked"}, "did you mean 'park'"),
        ("significant", {"significant": "no"}, "True or False"),
        ("significant", {"significant": True}, "permanent"),
        ("restrat", {"restrat": "permanent"}, "did you mean 'restart'"),
    ],
)
def test_a_wrong_child_spec_names_the_field_and_guesses(field, wrong, hint):
    with pytest.raises(SpecError, match=hint) as caught:
        ChildSpec(**{"id": "a", "start": run, **wrong})
    assert caught.value.field == field
    assert str(caught.value).startswith(field)
    assert isinstance(caught.value, ValueError)


def test_a_missing_field_is_named():
    with pytest.raises(SpecError, match="start: missing"):
        ChildSpec("a")


def test_a_called_coroutine_is_told_apart_and_closed():
    with pytest.raises(SpecError, match="without calling it"):
        ChildSpec("a", run())


@pytest.mark.parametrize("start", [run, anything, functools.partial(run), functools.partial(anything, 1)])
def test_what_can_be_started(start):
    ChildSpec("a", start)


@pytest.mark.parametrize(
    ("field", "wrong", "hint"),
    [
        ("name", {"name": ""}, "non-empty"),
        ("strategy", {"strategy": "one_for_al"}, "did you mean 'one_for_all'"),
        ("max_restarts", {"max_restarts": -1}, "at least 0"),
        ("max_restarts", {"max_restarts": 1.5}, "whole number"),
        ("period", {"period": 0}, "more than 0"),
        ("backoff", {"backoff": None}, "Backoff"),
        ("auto_shutdown", {"auto_shutdown": "any"}, "any_significant"),
        ("max_children", {"max_children": -1}, "at least 0"),
        ("max_children", {"max_children": 1, "children": [ChildSpec("a", run), ChildSpec("b", run)]}, "2 children"),
        ("overrun", {"overrun": "kill"}, "wait, escalate"),
        ("stop", {"stop": "parallel"}, "in_order, together"),
        ("shutdown_deadline", {"shutdown_deadline": -1}, "at least 0"),
        ("id", {"children": [ChildSpec("a", run), ChildSpec("a", run)]}, "duplicate child id 'a'"),
        ("children", {"children": [run]}, "ChildSpec"),
        ("children", {"children": ChildSpec("a", run)}, r"did you mean \[spec\]"),
        ("significant", {"children": [ChildSpec("a", run, restart="transient", significant=True)]}, "auto_shutdown"),
        ("max_restart", {"max_restart": 3}, "did you mean 'max_restarts'"),
    ],
)
def test_a_wrong_option_names_the_field_and_guesses(field, wrong, hint):
    with pytest.raises(SpecError, match=hint) as caught:
        Supervisor(**wrong)
    assert caught.value.field == field
    with pytest.raises(SpecError):
        open_supervisor(**wrong)


async def test_nothing_runs_where_a_later_spec_is_wrong(stage):
    with pytest.raises(SpecError):
        async with open_supervisor([stage.spec("a"), stage.spec("a")]):
            pytest.fail("the block is not entered")
    assert stage.journal == []


def test_the_public_names():
    import supervision

    assert all(hasattr(supervision, name) for name in supervision.__all__)
    promised = """Supervisor ChildSpec Restart Strategy Backoff Report open_supervisor heartbeat ChildStartError
        RestartIntensityReached ChildHung FaultPlan SupervisionError SpecError ShutdownOverrun AlreadyRunning
        AlreadyPresent TooManyChildren ChildRunning ChildRestarting UnknownChild ChildInfo Count"""
    assert set(promised.split()) <= set(supervision.__all__)


def test_the_signatures_of_the_surface():
    def defaults(function):
        parameters = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    assert defaults(Supervisor) == {
        "children": (),
        "name": "supervisor",
        "strategy": "one_for_one",
        "max_restarts": 3,
        "period": 5.0,
        "backoff": Backoff.none(),
        "auto_shutdown": "never",
        "max_children": None,
        "overrun": "wait",
        "stop": "in_order",
        "shutdown_deadline": math.inf,
    }
    assert defaults(Backoff) == {
        "initial": 0.1,
        "maximum": 30.0,
        "factor": 2.0,
        "jitter": "full",
        "reset_after": None,
        "max_failures": None,
        "seed": None,
    }
    assert [field.name for field in attrs.fields(ChildInfo)] == [
        "id",
        "state",
        "incarnation",
        "restarts",
        "started_at",
        "last_exit",
        "children",
        "recent_restarts",  # beyond the surface that others rely on
    ]
    assert [field.name for field in attrs.fields(Count)] == ["specs", "active", "supervisors", "workers"]
    fields = {field.name for field in attrs.fields(Report)}
    assert fields >= {"kind", "supervisor", "child", "incarnation", "reason", "cause", "at", "delay"}
    assert fields >= {"budget_used", "correlation_id"}
