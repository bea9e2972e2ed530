"""Notifications from the shell: a job file, a command target of a real supervisor, what is listed and refused (E11)."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Terminal, stop, until

CONFIG = """
notify:
  targets:
    keep: {{command: [sh, -c, 'cat >> {kept}; echo >> {kept}'], on: [completed, failed]}}
    broken: {{command: [sh, -c, 'echo no such channel >&2; exit 3'], format: text}}
"""


def test_a_job_notifies_a_command_and_people_see_what_became_of_it(
    terminal: Terminal, job_file: Callable[[str], str]
) -> None:
    kept = terminal.cwd / "kept"
    config = terminal.cwd / "greenroom.yaml"
    config.write_text(CONFIG.format(kept=kept))
    process = terminal.start("run", "--config", str(config))
    try:
        until(process, "Supervisor is ready")
        refused = terminal.type("submit", "--notify", "kepe", "--", "true")
        assert refused.returncode == 2
        assert "there is no notification target 'kepe'; did you mean keep?" in refused.stderr
        file = job_file("jobs:\n  - {name: from-file, command: [sh, -c, exit 4], notify: [keep]}\n")
        terminal.type("submit", "--wait", "--file", file)
        words = ("--notify", "keep", "--notify", "broken")
        job = terminal.json("submit", "--wait", "--json", "--name", "both", *words, "--", "true")
        shown = _until_tried(terminal, job["job_id"])
        assert [(one["target"], one["state"]) for one in shown["notifications"]] == [
            ("keep", "delivered"), ("broken", "pending"),
        ]  # fmt: skip
        events = [json.loads(line) for line in kept.read_text().splitlines()]
        assert [(one["type"], one["data"]["name"], one["data"]["exit_code"]) for one in events] == [
            ("failed", "from-file", 4), ("completed", "both", 0),
        ]  # fmt: skip
        text = terminal.type("show", job["job_id"]).stdout
        assert "completed to keep, delivered\n" in text
        assert "completed to broken, pending" in text
        listed = terminal.type("notifications", "--target", "broken").stdout
        assert "the command ended with exit status 3: no such channel" in listed
        assert re.search(rf"^{job['job_id'][-12:]} +both +broken +completed", listed, re.MULTILINE)
        first = terminal.type("notifications", "--target", "keep", "--limit", "1").stdout
        more = re.search(r"^more: greenroom (notifications --target keep --cursor .*)$", first, re.MULTILINE)
        assert more is not None
        assert "from-file" in terminal.type(*shlex.split(more[1])).stdout
        targets = terminal.type("notifications", "targets").stdout
        assert "a command" in targets
        assert "sh -c" not in targets
        assert terminal.type("notifications", "enable", "nothing").returncode == 1
        assert terminal.type("notifications", "enable", "broken").returncode == 0
        assert "notifier" in terminal.type("tree", "--json").stdout
    finally:
        stop(process)
    assert "completed" in terminal.type("notifications", "--config", str(config)).stdout


def _until_tried(terminal: Terminal, job_id: str) -> dict[str, Any]:
    """The job as soon as each of its notifications was tried; each look takes a moment by itself."""
    for _ in range(100):
        found: dict[str, Any] = terminal.json("show", "--json", job_id)
        if len(found["notifications"]) == 2 and all(one["tries"] for one in found["notifications"]):
            return found
    raise AssertionError(found["notifications"])


def test_a_check_of_the_configuration_notes_a_command_that_is_not_found(terminal: Terminal) -> None:
    (terminal.cwd / "tool").write_text("not executable")
    commands = {"there": "[sh, -c, exit]", "gone": "[no-such-program, x]", "file": f"[{terminal.cwd}/tool]"}
    lines = [f"    {name}: {{command: {command}}}\n" for name, command in commands.items()]
    config = terminal.cwd / "noted.yaml"
    config.write_text("".join(["notify:\n  targets:\n", *lines, "    web: {url: https://example.org/x}\n"]))
    found = terminal.json("config", "check", "--json", "--config", str(config))
    assert found["faults"] == []
    assert found["notes"] == [
        "notify.targets.gone.command: the program no-such-program is not found (or is not executable)",
        f"notify.targets.file.command: the program {terminal.cwd}/tool is not found (or is not executable)",
    ]
