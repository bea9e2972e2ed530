"""The line that the page shows for a command, read by a real shell: each word arrives as it was, nothing else runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from actors.cli.submit import submit
from tests.api.test_page_modules import NODE, run

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node: apt-get install nodejs, as .ci/run does")
SHELLS = [shell for shell in ("sh", "bash", "dash") if shutil.which(shell)]
HOSTILE = [
    "", " ", "'", "''", "it's", "\\", "\\'", '"', "$HOME", "$(touch broken-in)", "`touch broken-in`",
    "; touch broken-in;",
    "a\nb", "\n", "ends with a line feed\n", "\n'; touch broken-in\n", "\t", "\r", "a\r\nb",
    "*", "?", "[a-z]*", "~", "~root",
    "!", "!!", "#", "# no comment", "&", "| cat", "> broken-in", "<<EOF", "{a,b}", "{1..9}", "-", "--", "--help", "-n",
    "A=1", "%s%n", "\\n", "\\033", "\x1b[201~\ntouch broken-in\n", "\x1b]0;title\x07", "\x03", "\x04", "\x7f", "\x85",
    "\u202egnp.exe", "\u200b", "\ufeff", "\u2028", "é", "日本語", "😀", "\x01" * 3, "'$(printf '\\012')'",
]  # fmt: skip
JOB: dict[str, Any] = {
    "provider": "local", "team_id": None, "config_name": None, "group": None, "priority_override": None,
    "estimated_cost": None, "resources": {"cpus": 1, "gpus": 0, "memory": None}, "max_runtime": None, "max_attempts": 3,
    "rerun": None, "cwd": None, "notify": [], "environment": {"set": [], "inherited": [], "not_set": []}, "after": [],
}  # fmt: skip


def line_of(tmp_path: Path, **fields: Any) -> str:
    found: str = run(tmp_path, "shell_line.js", f"it.submitLine({json.dumps(JOB | fields)})")
    return found


def words(shell: str, line: str, folder: Path) -> list[str]:
    """What a program named greenroom is given when ``shell`` runs ``line``."""
    script = 'greenroom() { for word in "$@"; do printf \'%s\\0\' "$word"; done; }\n' + line + "\n"
    folder.mkdir(exist_ok=True)
    done = subprocess.run([shell], input=script.encode(), cwd=folder, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    assert list(folder.iterdir()) == []
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_word_arrives_as_it_was(shell: str, tmp_path: Path) -> None:
    line = line_of(tmp_path, command=["python", *HOSTILE], config_name=HOSTILE[-1], cwd="/tmp/$(id)'")
    found = words(shell, line, tmp_path / "empty")
    assert found[:2] == ["submit", f"--name={HOSTILE[-1]}"]
    assert found[found.index("--") + 1 :] == ["python", *HOSTILE]
    assert "--cwd=/tmp/$(id)'" in found


def test_a_terminal_is_given_nothing_that_it_acts_on(tmp_path: Path) -> None:
    """Escape sequences end a paste or change how the line looks; the shell makes them, so the line has none."""
    line = line_of(tmp_path, command=HOSTILE[1:], config_name="\x1b[201~\u202e")
    assert [one for one in line if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp")] == []


def test_the_options_are_those_of_the_command(tmp_path: Path) -> None:
    """``greenroom submit`` reads the same job from the line."""
    job = {
        "command": ["python", "train.py", "--lr", "0.1"], "config_name": "-n", "group": "--", "priority_override": 3,
        "resources": {"cpus": 2, "gpus": 1, "memory": 1 << 30}, "max_runtime": 90.5, "max_attempts": 5,
        "notify": ["a", "b"],
        "rerun": {"times": 2, "on": ["failed"], "exit_codes": [75], "delay": 30}, "provider": "other", "cwd": "/tmp",
        "environment": {"set": ["A"], "inherited": ["PATH", "CUDA_X", "WANDB_KEY"], "not_set": ["HF_*"]},
    }  # fmt: skip
    found = words("sh", line_of(tmp_path, **job), tmp_path / "empty")
    asked = submit.make_context("submit", found[1:]).params
    expected = {
        "command": tuple(job["command"]), "config_name": "-n", "group": "--", "priority_override": 3, "cpus": 2,
        "gpus": 1, "memory": 1 << 30, "max_runtime": 90.5, "max_attempts": 5, "notify": ("a", "b"), "rerun": 2,
        "rerun_delay": 30.0,
        "rerun_on": "failed,exit:75", "provider": "other", "cwd": "/tmp", "env_from": ("WANDB_KEY", "HF_*"),
    }  # fmt: skip
    assert {name: asked[name] for name in expected} == expected


def test_what_the_line_lacks_is_said(tmp_path: Path) -> None:
    lacking = {"environment": {"set": ["KEY"], "inherited": [], "not_set": []}, "command": ["a\\xff"], "after": ["x"]}
    notes = run(tmp_path, "shell_line.js", f"it.lineNotes({json.dumps(JOB | lacking)})")
    assert ["KEY" in notes[0], "not UTF-8" in notes[1], "left out" in notes[2]] == [True] * 3
    assert run(tmp_path, "shell_line.js", f"it.lineNotes({json.dumps(JOB | {'command': ['a']})})") == []
