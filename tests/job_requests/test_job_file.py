"""Job files: what each key becomes, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from actors.job_requests.job_file import JobFile, load_job_file
from actors.jobs.records import JobRequest, Resources
from actors.jobs.sweeps import Sweep, expand
from actors.validation import CheckedError

Write = Callable[[str], JobFile]
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sweep.yaml"


@pytest.fixture
def jobs(tmp_path: Path) -> Write:
    def write(text: str) -> JobFile:
        (tmp_path / "jobs.yaml").write_text(text)
        return load_job_file(tmp_path / "jobs.yaml", user="me", environ={"PATH": "/bin", "SECRET": "x"})

    return write


@pytest.fixture
def faults(jobs: Write, tmp_path: Path) -> Callable[[str], list[str]]:
    def find(text: str) -> list[str]:
        with pytest.raises(CheckedError) as caught:
            jobs(text)
        return [line.removeprefix(f"{tmp_path}/jobs.yaml:") for line in str(caught.value).splitlines()]

    return find


def test_a_job_says_everything_in_its_own_words(jobs: Write, tmp_path: Path) -> None:
    (request,) = jobs(
        """
jobs:
  - name: small
    command: [python, train.py, --lr, "0.1"]
    cwd: train
    env: {A: "1"}
    env_from: [PATH, LANG]
    spec: {lr: 1e-4, layers: [1, 2]}
    params: {}
    resources: {cpus: 2, gpus: 1, memory: 2GiB}
    provider: sim
    user: ana
    org: lab
    team: vision
    level: lead
    priority: 40
    cost: 80
    hardware_type: a100
    max_attempts: 5
    max_runtime: 3600
    needs_approval: it is dear
"""
    ).requests
    assert request.idempotency_key is not None
    assert request == JobRequest(
        provider="sim",
        command=("python", "train.py", "--lr", "0.1"),
        cwd=str(tmp_path / "train"),
        env={"A": "1"},
        env_from=("PATH", "LANG"),
        inherited_env={"PATH": "/bin"},
        spec={"lr": 0.0001, "layers": [1, 2]},
        resources=Resources(2, 1, 2 * 2**30),
        user_id="ana",
        org_id="lab",
        team_id="vision",
        user_levels=("lead",),
        config_name="small",
        hardware_type="a100",
        estimated_cost=80.0,
        priority_override=40,
        max_attempts=5,
        idempotency_key=request.idempotency_key,
        max_runtime=3600.0,
        requires_approval="it is dear",
    )


def test_defaults_lie_under_every_job(jobs: Write) -> None:
    """A job's own key wins; env and resources are merged key by key; another way to start replaces the first."""
    first, second = jobs(
        "defaults: {command: [a], env: {A: '1', B: '1'}, resources: {cpus: 2, gpus: 1}, level: [lead, admin]}\n"
        "jobs:\n"
        "  - {env: {B: '2', C: '2'}, resources: {gpus: 0}}\n"
        "  - {entry_point: train, params: {lr: 1}, level: viewer}\n"
    ).requests
    assert (first.command, first.env, first.resources) == (("a",), {"A": "1", "B": "2", "C": "2"}, Resources(2, 0))
    assert (first.user_id, first.user_levels) == ("me", ("lead", "admin"))
    assert (second.command, second.entry_point, second.params) == (None, "train", {"lr": 1})
    assert second.user_levels == ("viewer",)


def test_a_path_of_its_own_stays(jobs: Write) -> None:
    assert jobs("jobs: [{command: [a], cwd: /data}]").requests[0].cwd == "/data"


def test_what_is_best_is_said_for_all_jobs(jobs: Write, faults: Callable[[str], list[str]]) -> None:
    found = jobs("best: {loss: min, f1: max}\njobs: [{command: [a]}, {command: [b], matrix: {lr: [1]}}]").requests
    best = [(one.request if isinstance(one, Sweep) else one).best for one in found]
    assert best == [{"loss": "min", "f1": "max"}] * 2
    assert faults("best: {loss: least}\njobs: [{command: [a]}]") == [
        "1:8: best.loss: must be one of min, max, not 'least'"
    ]


def test_json_is_a_job_file_too(jobs: Write) -> None:
    assert jobs('{"jobs": [{"command": ["a"], "level": ["lead"]}]}').requests[0].command == ("a",)


def test_a_command_runs_beside_the_file_unless_it_says_where(jobs: Write, tmp_path: Path) -> None:
    """E2. An entry point has the directory of the configuration."""
    found = jobs("jobs: [{command: [a]}, {command: [a], cwd: x/y}, {command: [a], cwd: ~/x}, {entry_point: train}]")
    assert [one.cwd for one in found.requests] == [
        str(tmp_path), str(tmp_path / "x/y"), str(Path.home() / "x"), None,
    ]  # fmt: skip


def test_the_example_is_read() -> None:
    found = load_job_file(EXAMPLE, environ={}).requests
    requests = [job for one in found for job in (expand(one) if isinstance(one, Sweep) else [one])]
    assert len(requests) >= 12
    assert {one.user_id for one in requests} == {"ana", "bo", "chi"}
    assert {one.cwd for one in requests} == {str(EXAMPLE.parent / "train")}
    assert [one.config_name for one in requests if one.requires_approval] == ["units-64"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("jobs: [{command: ls -l}]", "1:9: jobs[0].command: must be a list of words, never a shell line"),
        (
            "jobs: [{command: [a], level: led}]",
            "1:23: jobs[0].level: 'led' is not a level; did you mean lead?",
        ),
        (
            "jobs: [{command: [a], level: [lead, boss]}]",
            "1:23: jobs[0].level: 'boss' is not a level; known are viewer, researcher, lead, admin",
        ),
        ("jobs: [{command: [a], name: ''}]", "1:23: jobs[0].name: must not be empty"),
        ("jobs: [{command: [a], cost: .nan}]", "1:23: jobs[0].cost: must be a finite number, not .nan"),
        ("jobs: [{command: []}]", "1:9: jobs[0].command: must begin with the name of a program"),
        (
            "jobs: [{command: [sleep, 5]}]",
            '1:26: jobs[0].command[1]: must be a text, not 5; put it in quotes: "5"',
        ),
        (
            "jobs: [{command: [echo, no]}]",
            '1:25: jobs[0].command[1]: must be a text, not no; put it in quotes: "no"',
        ),
        ("jobs: [{comand: [a]}]", "1:9: jobs[0].comand: unknown key; did you mean command?"),
        ("jobs: [{idempotency_key: a}]", None),
        ("jobs: [{user_id: a}]", None),
        ("jobs: [{priority: 51}]", "1:9: jobs[0].priority: must be between 0 and 50, not 51"),
        ("jobs: [{cost: -1}]", "1:9: jobs[0].cost: must be at least 0, not -1"),
        ("jobs: [{max_attempts: 0}]", "1:9: jobs[0].max_attempts: must be at least 1, not 0"),
        ("jobs: [{max_runtime: 0}]", "1:9: jobs[0].max_runtime: must be more than 0, not 0"),
        ("jobs: [{resources: {gpus: -1}}]", "1:21: jobs[0].resources.gpus: must be at least 0, not -1"),
        ("jobs: [{resources: {memory: 0}}]", "1:21: jobs[0].resources.memory: must be at least 1, not 0"),
        ("jobs: [{gpu: 1}]", "1:9: jobs[0].gpu: unknown key; did you mean resources.gpus?"),
        (
            "jobs: [{rerun: 3}]",
            "1:9: jobs[0].rerun: must be a mapping, not 3; its keys are times, on, exit_codes, delay",
        ),
        ("jobs: [{resources: {gpu: 1}}]", "1:21: jobs[0].resources.gpu: unknown key; did you mean gpus?"),
        ("jobs: [{env: {A: 1}}]", '1:15: jobs[0].env.A: must be a text, not 1; put it in quotes: "1"'),
        ("jobs: [{env: {A=B: x}}]", '1:15: jobs[0].env."A=B": cannot be the name of a variable'),
        ("jobs: [{level: 3}]", '1:9: jobs[0].level: must be a text, not 3; put it in quotes: "3"'),
        ("jobs: [{needs_approval: ''}]", "1:9: jobs[0].needs_approval: must not be empty"),
        (
            "jobs: [{command: [a], entry_point: b}]",
            "1:23: jobs[0].entry_point: command and entry_point: give one of the two",
        ),
        ("jobs: [a]", "1:8: jobs[0]: must be a mapping, not 'a'"),
        ("jobs: []", "1:1: jobs: there are no jobs"),
        ("jobs:", "1:1: jobs: there are no jobs"),
        ("defaults: {}", "1:1: jobs: there are no jobs"),
        ("jobs: {a: 1}", "1:1: jobs: must be a list, not a mapping"),
        ("job: []\njobs: [{}]", "1:1: job: unknown key; did you mean jobs?"),
    ],
)
def test_a_wrong_job_is_refused_with_its_place(
    faults: Callable[[str], list[str]], text: str, fault: str | None
) -> None:
    (found,) = faults(text)
    if fault is None:
        assert "unknown key" in found
    else:
        assert found == fault


def test_a_fault_of_the_defaults_is_told_once_at_its_own_place(faults: Callable[[str], list[str]]) -> None:
    assert faults("defaults: {env: {A: 1}, cost: x}\njobs: [{command: [a]}, {env: {B: '1'}}, {cost: 1}]\n") == [
        '1:18: defaults.env.A: must be a text, not 1; put it in quotes: "1"',
        "1:25: defaults.cost: must be a number, not 'x'",
    ]


def test_every_job_is_looked_at(faults: Callable[[str], list[str]]) -> None:
    found = faults("jobs:\n  - {command: a}\n  - {cost: x}\n  - {command: [b]}\n  - 3\n")
    assert [line.split(": ")[1] for line in found] == ["jobs[0].command", "jobs[1].cost", "jobs[3]"]


def test_a_job_names_what_it_waits_for_and_a_time_of_day_becomes_an_instant(tmp_path: Path) -> None:
    """``22:00`` needs no quotes, though YAML of old read a number in it."""
    file = tmp_path / "jobs.yaml"
    file.write_text(
        "jobs:\n"
        "  - {name: a, command: [a], start_after: 22:00}\n"
        "  - {name: b, command: [b], after: a, start_after: +2h}\n"
        "  - {name: c, command: [c], after: [a, {group: g}], after_mode: ended, start_after: 2026-01-31T22:00:00Z}\n"
    )
    a, b, c = load_job_file(file, user="ana", environ={}).requests
    assert a.start_after is not None
    assert a.start_after.endswith("Z")
    assert (b.after, b.start_after) == (("a",), "+2h")
    assert (c.after, c.after_mode, c.start_after) == (("a", {"group": "g"}), "ended", "2026-01-31T22:00:00Z")


def test_a_time_of_day_is_the_same_instant_for_each_job_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if that time comes while the file is read."""
    before = datetime(2026, 1, 31, 21, 59, 59).astimezone()  # in this machine's zone
    moments = iter([before, before + timedelta(seconds=2)])

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return next(moments)

    monkeypatch.setattr("actors.job_requests.job_file.datetime", Clock)
    file = tmp_path / "jobs.yaml"
    file.write_text("defaults: {start_after: 22:00}\njobs: [{command: [a]}, {command: [b]}]\n")
    a, b = load_job_file(file, user="ana", environ={}).requests
    assert (
        a.start_after == b.start_after == (before + timedelta(seconds=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    )


def test_what_is_wrong_with_them_is_said_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("jobs:\n  - {command: [a], after: [{grp: g}]}\n  - {command: [b], start_after: soon}\n")
    with pytest.raises(CheckedError) as refused:
        load_job_file(file, user="ana", environ={})
    assert 'jobs.yaml:2:28: jobs[0].after[0]: must be a job or {"group": NAME}' in str(refused.value)
    assert "jobs.yaml:3:20: jobs[1].start_after: must be an instant such as" in str(refused.value)
