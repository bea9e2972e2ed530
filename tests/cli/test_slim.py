"""What client commands may load beside a running supervisor: everybody waits for each of these modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NEVER = {
    "trio", "httpx", "httpcore", "h11", "rich", "yaml", "cattrs", "attr", "attrs", "sqlalchemy", "alembic", "starlette",
    "hypercorn", "anyio", "logging", "logconf", "supervision", "asyncio", "ssl", "http", "email", "tempfile", "hashlib",
    "subprocess",
}  # fmt: skip
"""Packages that no client command loads."""

CLIENT = {
    "actors", "actors.api", "actors.api.socket_file", "actors.api.unix_peer", "actors.cli", "actors.cli.address",
    "actors.cli.client", "actors.cli.context", "actors.cli.exit_statuses", "actors.cli.group", "actors.cli.options",
    "actors.cli.tables", "actors.cli.transport",
    "actors.cli.trust", "actors.jobs", "actors.jobs.home_directory", "actors.jobs.os_text", "actors.settings",
    "actors.settings.places",
    "actors.settings.variable_names",
    "actors.store", "actors.store.ownership",
}  # fmt: skip
"""What every client command loads of ours, beside its own file."""
WORDS = {"actors.cli.job_text", "actors.jobs.durations"}
JOBS = WORDS | {"actors.cli.jobs", "actors.cli.selections", "actors.jobs.statuses"}
EVENTS = WORDS | {"actors.cli.event_text", "actors.jobs.events"}
SUBMIT = WORDS | {"actors.cli.submit", "actors.jobs.environment", "actors.jobs.statuses"}
SERIES = {"actors.cli.series", "actors.cli.sparkline"}
QUEUE = JOBS | {"actors.cli.queue", "actors.cli.queue_text"}
COMMANDS = {
    "jobs": JOBS, "jobs --json": JOBS, "show JOB": JOBS | {"actors.cli.details"}, "cancel JOB": JOBS, "retry JOB": JOBS,
    "cancel --name x --yes": JOBS, "rm JOB --dry-run": JOBS, "jobs --since 12:00": JOBS | {"actors.cli.moments"},
    "logs JOB": {"actors.cli.logs", "actors.jobs.statuses"},
    "logs -f JOB": {"actors.cli.logs", "actors.jobs.statuses"},
    "submit -- true": SUBMIT, "submit --json --env A=b -- true": SUBMIT,
    "submit --wait -- true": SUBMIT | EVENTS | {"actors.cli.event_stream", "actors.cli.waiting"},
    "submit --sweep lr=1,2 -- true": SUBMIT | {"actors.cli.sweep", "actors.cli.submit_file"},
    "queue": QUEUE, "limits": QUEUE, "limits set total 3": QUEUE, "prioritise JOB none": QUEUE,
    "approvals": WORDS | {"actors.cli.approvals"}, "approve JOB": WORDS | {"actors.cli.approvals"},
    "notifications": WORDS | {"actors.cli.notifications"},
    "notifications targets": WORDS | {"actors.cli.notifications"},
    "dead-letters": WORDS | {"actors.cli.dead_letters"}, "quarantine list": WORDS | {"actors.cli.dead_letters"},
    "token list": WORDS | {"actors.cli.token", "actors.jobs.levels"},
    "open": WORDS | {"actors.cli.token", "actors.jobs.levels"},
    "metrics JOB": SERIES, "metrics --json JOB": SERIES,
    "prune --dry-run": WORDS | {"actors.cli.prune"},
    "tree --json": WORDS | {"actors.cli.watch"},
}  # fmt: skip
PROBE = """
import sys
from actors.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("loaded", *sys.modules)
"""


def loaded(terminal: Any, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], cwd=terminal.cwd, env=terminal.environment, text=True,
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] in ("actors", "logconf", "supervision")}


def test_client_commands_load_what_they_need_and_no_more(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--wait", "--json", "--", "true")["job_id"]
    for command, own in COMMANDS.items():
        modules = loaded(terminal, *command.replace("JOB", job).split())
        assert modules & NEVER == set(), command
        assert ours(modules) <= CLIENT | own, command


def test_commands_to_another_machine_load_little_more(terminal: Any, tmp_path: Path) -> None:
    """And what encrypts only where it is used; here nobody listens."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("gr_abc")
    network = {"actors.cli.network", "actors.access", "actors.access.hosts"}
    for url, more in (("http://127.0.0.1:1", set[str]()), ("https://localhost:1", {"ssl"})):
        for command, own in (("jobs", JOBS), ("cancel x", JOBS), ("queue", QUEUE)):
            modules = loaded(terminal, "--url", url, "--token-file", str(token), *command.split())
            assert modules & NEVER <= more, command
            assert ours(modules) <= CLIENT | own | network, command


@pytest.mark.parametrize("where", ["default", "noted"])
def test_it_holds_where_no_variable_names_the_state_directory(
    terminal: Any, where: str, request: pytest.FixtureRequest
) -> None:
    """By default, and where a file of settings names it which the supervisor has read."""
    del terminal.environment["GREENROOM_HOME"]
    if where == "noted":
        Path(terminal.cwd, "greenroom.yaml").write_text(f"state_dir: {terminal.home}\n")
    request.getfixturevalue("supervisor")
    modules = loaded(terminal, "jobs")
    assert modules & NEVER == set()
    assert ours(modules) <= CLIENT | JOBS
    assert terminal.home.exists() == (where == "noted")


def test_a_file_of_settings_that_nobody_has_read_may_load_yaml_and_is_noted(terminal: Any) -> None:
    del terminal.environment["GREENROOM_HOME"]
    Path(terminal.cwd, "greenroom.yaml").write_text("state_dir: state\n")
    assert "yaml" in loaded(terminal, "cancel", "x")
    assert "yaml" not in loaded(terminal, "cancel", "x")


def test_a_start_loads_nothing_that_only_some_need(terminal: Any) -> None:
    """No migration, no configuration file, no provider that speaks HTTP, no display, no metrics that are asked for."""
    code = (
        "import sys, actors.cli.session, actors.providers.local\n"
        "from actors.settings import Settings\nSettings.load()\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=terminal.cwd, env=terminal.environment, text=True, capture_output=True,
        timeout=60, check=True,
    )  # fmt: skip
    seldom = {
        "alembic",
        "yaml",
        "httpx",
        "rich",
        "prometheus_client",
        "sqlalchemy.dialects.postgresql",
        "trio_websocket",
    }
    assert set(done.stdout.split()) & (seldom | {"statistics", "re2"}) == set()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["jobs", "--help"], ["run", "--help"], ["jbos"], []])
def test_help_and_completion_load_little(terminal: Any, words: list[str]) -> None:
    if not words:
        terminal.environment |= {
            "_GREENROOM_COMPLETE": "bash_complete",
            "COMP_WORDS": "greenroom job",
            "COMP_CWORD": "1",
        }
    modules = loaded(terminal, *words)
    assert modules & (NEVER - {"logging", "email", "tempfile"}) == set()
