"""A matrix in a job file: values as they are written there, and every fault with its line (E2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.job_requests.job_file import load_job_file
from actors.job_requests.matrices import matrix_document, request_document, request_of
from actors.jobs.matrix import matrix_of
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep, expand
from actors.validation import CheckedError

SEVERAL = "write it as several jobs of a file, each with a part of the values"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with braces, which are text."""
    folder = tmp_path / "a {lr} {{b"
    folder.mkdir()
    return folder


def load(folder: Path, text: str) -> list[JobRequest]:
    path = folder / "jobs.yaml"
    path.write_text(text)
    found = load_job_file(path, user="me", environ={}).requests
    return [job for one in found for job in (expand(one) if isinstance(one, Sweep) else [one])]


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(CheckedError) as caught:
        load(folder, text)
    return [line.removeprefix(f"{folder}/jobs.yaml:") for line in str(caught.value).splitlines()]


def test_a_value_is_what_stands_in_the_file(folder: Path) -> None:
    """Quoted or not, and whatever two readers of YAML would make of it."""
    values = """[0.20, 1e-4, +5, -0, 010, 1_000, True, FALSE, no, .5, 1., "0.2", 'a b', x: y, 2024-01-01, 0x1F, .inf]"""
    text = f'jobs: [{{command: [t, "{{v}}"], matrix: {{v: {values.replace("x: y", "xy")}}}}}]'
    assert [job.command[1] for job in load(folder, text) if job.command] == [
        "0.20", "1e-4", "+5", "-0", "010", "1_000", "True", "FALSE", "no", ".5", "1.", "0.2", "a b", "xy",
        "2024-01-01", "0x1F", ".inf",
    ]  # fmt: skip


def test_a_file_of_lists_ranges_and_plain_jobs(folder: Path) -> None:
    found = load(
        folder,
        """
defaults: {command: [train, "--lr={lr}"], group: rates, matrix: {lr: [0.1, 0.20]}}
jobs:
  - {name: "t-{lr}"}
  - {name: s, command: [train, "{seed}", "{lr}"], matrix: {seed: {from: 1, to: 2}, lr: [1], exclude: [{seed: 1}]}}
  - {name: "t-{lr}-{lr}", matrix: {lr: [5], include: [{lr: 6}]}}
""",
    )
    assert [(job.config_name, job.command, job.parameters, job.group) for job in found] == [
        ("t-0.1", ("train", "--lr=0.1"), {"lr": "0.1"}, "rates"),
        ("t-0.20", ("train", "--lr=0.20"), {"lr": "0.20"}, "rates"),
        ("s-1", ("train", "2", "1"), {"seed": "2", "lr": "1"}, "rates"),
        ("t-5-5", ("train", "--lr=5"), {"lr": "5"}, "rates"),
        ("t-6-6", ("train", "--lr=6"), {"lr": "6"}, "rates"),
    ]


def test_without_a_matrix_every_brace_is_text(folder: Path) -> None:
    (job,) = load(folder, 'jobs: [{name: "{a}", command: [t, "{lr}", "{{x}}"], cwd: "{b}"}]')
    assert (job.config_name, job.command) == ("{a}", ("t", "{lr}", "{{x}}"))
    assert (job.cwd, job.parameters) == (str(folder / "{b}"), {})


def test_a_directory_may_hold_placeholders_and_that_of_the_file_braces(folder: Path) -> None:
    sweep = 'jobs: [{{command: [t], cwd: {}, matrix: {{lr: [0.1, "x/y"]}}}}]'
    assert [job.cwd for job in load(folder, sweep.format('"{lr}/z"'))] == [
        str(folder / "0.1" / "z"), str(folder / "x/y" / "z"),
    ]  # fmt: skip
    assert {job.cwd for job in load(folder, sweep.format("."))} == {str(folder)}
    assert faults(folder, 'jobs: [{command: [t], cwd: "{d}", matrix: {d: [x, /y]}}]') == [
        "1:23: jobs[0].cwd: begins with {d}, of which '/y' is absolute; write that part out"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            'jobs:\n  - command: [t, "{lrr}"]\n    matrix: {lr: [0.1]}\n',
            ["2:18: jobs[0].command[1]: has {lrr}, and the matrix has no lrr; did you mean lr?"],
        ),
        (
            'jobs:\n  - name: "{x}"\n    command: [t]\n    matrix: {lr: [0.1]}\n',
            ["2:5: jobs[0].name: has {x}, and the matrix has no x; known are lr"],
        ),
        (
            "jobs: [{command: [t], matrix: {lr: [0.1, 0.2, 0.1]}}]",
            ["1:47: jobs[0].matrix.lr[2]: '0.1' is given twice"],
        ),
        (
            "jobs: [{command: [t], matrix: {a: {from: 1, to: 200}, b: {from: 1, to: 200}}}]",
            [f"1:23: jobs[0].matrix: makes 40000 jobs, and one matrix makes at most 10000; {SEVERAL}"],
        ),
        (
            "jobs:\n  - {command: a, matrix: {lr: []}}\n  - {cost: x}\n  - {matrix: [1]}\n",
            [
                "2:6: jobs[0].command: must be a list of words, never a shell line",
                "2:27: jobs[0].matrix.lr: must have at least one value",
                "3:6: jobs[1].cost: must be a number, not 'x'",
                "4:6: jobs[2].matrix: must be a mapping of parameters to their values, such as {lr: [0.1, 0.2]}",
            ],
        ),
        (
            'jobs: [{command: [t, "{a}"], matrix: {b: [1]}}, {command: [t, "{c}"], matrix: {b: [1]}}]',
            ["1:22: jobs[0].command[1]: has {a}, and the matrix has no a; known are b",
             "1:63: jobs[1].command[1]: has {c}, and the matrix has no c; known are b"],
        ),
        ("name: ''\njobs: [{command: [t]}]", ["1:1: name: must not be empty"]),
        ("jobs: [{command: [t], matrx: {a: [1]}}]", ["1:23: jobs[0].matrx: unknown key; did you mean matrix?"]),
        ("jobs: [{command: [t], matrix: {a: [~]}}]", ["1:36: jobs[0].matrix.a[0]: a value must be a text or a number"]),
    ],
)  # fmt: skip
def test_every_fault_has_its_line(folder: Path, text: str, found: list[str]) -> None:
    assert faults(folder, text) == found


def test_what_a_client_sends_is_what_the_server_reads() -> None:
    matrix = matrix_of(
        {"lr": [0.1, "0.20"], "s": {"from": 1, "to": 2}, "exclude": [{"s": 1}], "include": [{"lr": "x", "s": "y"}]}
    )
    sweep = Sweep(JobRequest(command=("t", "{lr}"), config_name="a"), matrix, ("k", "l", "m"))
    assert request_of(request_document(sweep)) == sweep
    plain = JobRequest(command=("t",), user_id="ana")
    assert request_of(request_document(plain)) == plain
    assert matrix_document(matrix)["s"] == ["1", "2"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"matrix": {"lr": 3}}, "[2].matrix.lr: must be a list of values, or a range such as {from: 1, to: 5}"),
        ({"matrix": {"lr": [1]}, "idempotency_keys": [""]}, "[2].idempotency_keys[0]: must not be empty"),
        ({"matrix": {"lr": [1]}, "idempotency_keys": ["x" * 201]}, "[2].idempotency_keys[0]: must be at most 200 char"),
        ({"matrix": {"lr": [1]}, "idempotency_keys": "x"}, "[2].idempotency_keys: must be a list, not 'x'"),
        ({"idempotency_keys": ["x"]}, "[2].idempotency_keys: unknown key; did you mean idempotency_key?"),
        ({"matrix": {"lr": [1]}, "comand": ["x"]}, "[2].comand: unknown key; did you mean command?"),
    ],
)
def test_a_wrong_matrix_in_json_is_refused_with_its_path(data: Any, found: str) -> None:
    with pytest.raises(CheckedError) as caught:
        request_of(data, "[2]")
    assert str(caught.value).startswith(found)
