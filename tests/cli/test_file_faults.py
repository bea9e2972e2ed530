"""What only the supervisor finds in a file of jobs names the job's place in the file."""

from __future__ import annotations

from typing import Any

import pytest

HEAD = """\
defaults: {provider: local, org: lab}
jobs:
  - {name: "n{x}", command: ["true"], matrix: {x: [1, 2, 3]}}
  - {name: plain, command: ["true"]}
"""
FAULTS = {
    "  - {name: told, command: ['true'], notify: [chat]}\n": "jobs[2] (told): notify: there is no notification target",
    "  - {name: gone, command: ['true'], cwd: gone}\n": "jobs[2] (gone): cwd: ",
    "  - {name: a, command: ['true'], after: [b]}\n  - {name: b, command: ['true'], after: [a]}\n": (
        "jobs[2] (a): after: 'b' is a later job of this submission"
    ),
    "  - {name: a, command: ['true'], after: [a]}\n": "jobs[2] (a): after: 'a' is",
}


@pytest.fixture(params=FAULTS, ids=["notify", "cwd", "later", "itself"])
def fault(request: Any, terminal: Any) -> Any:
    path = terminal.cwd / "jobs.yaml"
    path.write_text(HEAD + request.param)
    return path, f"{path}: {FAULTS[request.param]}"


def test_of_submit(fault: Any, terminal: Any, supervisor: Any) -> None:
    refused = terminal.type("submit", "--file", str(fault[0]))
    assert (refused.returncode, refused.stderr[: len(fault[1]) + 11]) == (2, f"greenroom: {fault[1]}")


def test_of_run(fault: Any, terminal: Any) -> None:
    refused = terminal.type("run", "--file", str(fault[0]), "--until-idle")
    assert refused.returncode == 2
    assert f"greenroom: {fault[1]}" in refused.stderr


def test_a_file_comes_from_standard_input_with_a_minus(terminal: Any, supervisor: Any) -> None:
    taken = terminal.type("submit", "--file", "-", "--wait", stdin="jobs: [{name: piped, command: ['true']}]")
    assert taken.returncode == 0
    assert "piped" in taken.stdout
    refused = terminal.type("submit", "--file", "-", stdin="jobs: [{command: ['true'], gpu: 1}]")
    wanted = "greenroom: standard input:1:28: jobs[0].gpu: unknown key; did you mean resources.gpus?"
    assert (refused.returncode, refused.stderr.rstrip()) == (2, wanted)
    assert terminal.type("submit", "--file", "-", stdin="").stderr.rstrip() == "greenroom: standard input: is empty"
