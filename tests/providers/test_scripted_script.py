"""A script is read strictly, and what it makes of a job is a function of time alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.records import Phase
from actors.providers.errors import Invalid
from actors.providers.scripted import Ending, Fault, FaultKind, Refusal, Script, read_script
from actors.providers.scripted.script import timeline

T0 = datetime(2024, 1, 15, tzinfo=UTC)

ORDER = [Phase.QUEUED, Phase.RUNNING, Phase.STOPPING]
ENDS = {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT}

seconds = st.integers(0, 100)
scripts = st.builds(
    Script,
    duration=seconds,
    queue_time=seconds,
    cancel_time=seconds,
    result=st.sampled_from(Ending),
    progress=st.integers(0, 5),
    metrics=st.just({"loss": 0.5}),
)


def at(second: float) -> datetime:
    return T0 + timedelta(seconds=second)


def test_a_whole_script_is_read() -> None:
    """Every field is taken over, and faults are given by name or as objects."""
    script = read_script(
        {
            "duration": 5,
            "queue_time": 1.5,
            "result": "failed",
            "error": "out of memory",
            "metrics": {"loss": 0.1},
            "progress": 3,
            "faults": {"submit": ["lost_answer", {"kind": "refused", "refusal": "rate_limited", "retry_after": 9}]},
        }
    )
    assert (script.duration, script.queue_time, script.result, script.progress) == (5, 1.5, Ending.FAILED, 3)
    assert script.faults == (
        Fault(FaultKind.LOST_ANSWER, calls=("submit",)),
        Fault(FaultKind.REFUSED, calls=("submit",), refusal=Refusal.RATE_LIMITED, retry_after=9),
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"duratoin": 5}, "spec.duratoin: unknown key; did you mean duration?"),
        ({"duration": "5 x"}, "spec.duration: must be a duration such as 90s, 15m, 2h or 1d12h, not '5 x'"),
        ({"duration": True}, "spec.duration: must be a number, not true"),
        ({"duration": -1}, "spec.duration: must be a number of seconds from 0 to 1000000000, not -1"),
        ({"duration": float("nan")}, "spec.duration: must be a number, not nothing"),
        ({"duration": 1e10}, "spec.duration: must be a number of seconds from 0 to 1000000000, not 10000000000.0"),
        ({"duration": 10**400}, "spec.duration: is a number too large to keep"),
        ({"progress": 1.5}, "spec.progress: must be a whole number, not 1.5"),
        ({"progress": 1_001}, "spec.progress: must be at most 1000, not 1001"),
        ({"result": "complete"}, "spec.result: cannot be 'complete'; did you mean completed?"),
        ({"error": 5}, "spec.error: must be a text, not 5"),
        ({"metrics": [1]}, "spec.metrics: must be a mapping, not a list"),
        ({"metrics": {"x": {1}}}, "spec.metrics.x: must be plain data"),
        ({"faults": ["down"]}, "spec.faults: must be a mapping, not a list"),
        ({"faults": {"sumbit": []}}, "spec.faults.sumbit: cannot be 'sumbit'; did you mean submit?"),
        ({"faults": {"submit": "down"}}, "spec.faults.submit: must be a list, not 'down'"),
        ({"faults": {"submit": ["dwon"]}}, "spec.faults.submit[0].kind: cannot be 'dwon'; did you mean down?"),
        ({"faults": {"submit": [{"times": 1}]}}, "spec.faults.submit[0].kind: is missing"),
        ({"faults": {"submit": [{"kind": "slow", "second": 1}]}}, "[0].second: unknown key; did you mean seconds?"),
        ({"faults": {"submit": [{"kind": "slow", "times": -1}]}}, "[0].times: must be 0 or more"),
        ({"faults": {"submit": [{"kind": "slow", "accepted": 1}]}}, "[0].accepted: must be true or false, not 1"),
        ({"faults": {"submit": ["drop"]}}, "spec.faults.submit[0]: calls: drop can strike push, not 'submit'"),
        ({"faults": {"submit": [{"kind": "refused", "refusal": "auht"}]}}, "[0].refusal: cannot be 'auht'"),
    ],
)
def test_a_wrong_script_is_refused_naming_the_field(spec: dict[str, Any], message: str) -> None:
    """The message has the field's path, what is wrong, and a guess where one is near."""
    with pytest.raises(Invalid) as refusal:
        read_script(spec)
    assert message in str(refusal.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["duration", "progress", "result", "faults", "submit", "kind", "metrics", "times"])
                | st.text(max_size=3),
                inner,
                max_size=4,
            )
        ),
    ).filter(lambda value: isinstance(value, dict))
)
def test_no_spec_raises_anything_but_invalid(spec: Any) -> None:
    """Whatever JSON object comes in is read or refused."""
    try:
        script = read_script(spec)
    except Invalid:
        return
    timeline(script, T0).observe(at(1))


def test_a_job_queues_runs_reports_steps_and_succeeds() -> None:
    """One job's life, second by second."""
    script = Script(duration=4, queue_time=2, progress=2, metrics={"loss": 0.5})
    line = timeline(script, T0)
    seen = [line.observe(at(second)) for second in (0, 2, 4, 6, 60)]
    assert [one.phase for one in seen] == [
        Phase.QUEUED,
        Phase.RUNNING,
        Phase.RUNNING,
        Phase.SUCCEEDED,
        Phase.SUCCEEDED,
    ]
    assert [one.progress and one.progress["step"] for one in seen] == [None, 0, 1, 2, 2]
    assert (seen[0].started_at, seen[1].started_at, seen[1].completed_at) == (None, at(2), None)
    assert (seen[4].completed_at, seen[4].exit_code, seen[4].result) == (at(6), 0, {"loss": 0.5})


@pytest.mark.parametrize(
    ("changes", "phase", "second"),
    [
        ({"result": Ending.FAILED}, Phase.FAILED, 10),
        ({"result": Ending.CANCELLED}, Phase.CANCELED, 10),
        ({"max_runtime": 4}, Phase.TIMED_OUT, 4),
        ({"max_runtime": 10}, Phase.SUCCEEDED, 10),
        ({"endless": True, "max_runtime": 30}, Phase.TIMED_OUT, 30),
        ({"cancelled_at": at(3)}, Phase.CANCELED, 5),
        ({"cancelled_at": at(9)}, Phase.CANCELED, 11),
        ({"cancelled_at": at(10)}, Phase.SUCCEEDED, 10),
        ({"cancelled_at": at(3), "endless": True}, Phase.CANCELED, 5),
    ],
)
def test_who_decides_the_end(changes: dict[str, Any], phase: Phase, second: int) -> None:
    """A cancel before the end decides, then the deadline, then the script."""
    options = dict(changes)
    script = Script(duration=10, cancel_time=2, result=options.pop("result", Ending.COMPLETED))
    line = timeline(script, T0, options.pop("cancelled_at", None), **options)
    assert (line.ends, line.ending) == (at(second), phase)
    assert line.observe(at(second - 0.001)).completed_at is None


def test_an_endless_job_never_ends() -> None:
    """Without a cancel or a deadline it runs for ever."""
    line = timeline(Script(duration=1), T0, endless=True)
    assert line.phase(at(10_000_000)) is Phase.RUNNING


def test_a_job_cancelled_in_the_queue_never_started() -> None:
    """It has no start, and says nothing of progress."""
    script = Script(duration=10, queue_time=5, cancel_time=1, progress=2)
    seen = timeline(script, T0, at(2)).observe(at(20))
    assert (seen.phase, seen.started_at, seen.completed_at, seen.progress) == (Phase.CANCELED, None, at(3), None)


@given(scripts, st.none() | seconds, st.none() | seconds, st.booleans())
def test_phases_only_go_forward_and_change_only_when_foretold(
    script: Script, cancel: int | None, max_runtime: int | None, endless: bool
) -> None:
    """Between two foretold changes nothing new is seen; at each, something is; an end is absorbing; the log grows."""
    cancelled_at = None if cancel is None else at(cancel)
    line = timeline(script, T0, cancelled_at, max_runtime=max_runtime, endless=endless)
    moment, phases = T0, [line.phase(T0)]
    while (change := line.next_change(moment)) is not None:
        before, just_before = (line.observe(now) for now in (moment, change - timedelta(microseconds=1)))
        after = line.observe(change)
        assert (before.phase, before.progress) == (just_before.phase, just_before.progress)
        assert (before.phase, before.progress) != (after.phase, after.progress)
        assert line.log(change).startswith(line.log(moment))
        moment = change
        phases.append(after.phase)
    assert all(phase not in ENDS for phase in phases[:-1])
    ranks = [ORDER.index(phase) if phase in ORDER else len(ORDER) for phase in phases]
    assert ranks == sorted(ranks)
