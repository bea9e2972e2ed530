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
