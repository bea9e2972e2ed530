"""Arguments and settings of commands that need no supervisor, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from click.testing import CliRunner, Result

from actors.cli.client import NoSupervisor, address, document_of
from actors.cli.context import BadInput, Failed, TryLater
from actors.cli.group import cli
from actors.cli.submit import submit
from actors.jobs.records import JobRequest


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type a command in an empty home."""
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SIMPLETUNER_ENTERPRISE_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, list(words), prog_name="greenroom")

    return run


def test_every_command_has_help(typed: Any) -> None:
    listed = typed("--help")
    assert listed.exit_code == 0
    for name in cli.list_commands(None):  # type: ignore[arg-type]
        assert name in listed.output
        assert typed(name, "--help").exit_code == 0, name


def test_a_wrong_command_is_usage_with_a_guess(typed: Any) -> None:
    result = typed("jbos")
    assert result.exit_code == 2
    assert "did you mean jobs?" in result.output


def test_after_mode_alone_is_refused(typed: Any) -> None:
    result = typed("submit", "--after-mode", "ended", "--", "true")
    assert result.exit_code == 2
    assert "give --after" in result.output


@pytest.mark.parametrize("words", [(), ("--until-idle",)])
def test_without_a_command_it_is_run(typed: Any, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    from actors.cli import run

    monkeypatch.setattr(run.run, "callback", lambda **options: called.append(options["until_idle"]))
    assert typed(*words).exit_code == 0
    assert called == ["--until-idle" in words]


def test_config_check_tells_every_fault_with_its_place_and_status_2(typed: Any, tmp_path: Path) -> None:
    """B22: nothing is started; each fault has file, line and path, and a guess where a key is nearly right."""
    (tmp_path / "greenroom.yaml").write_text("limits: {total: x, per_usr: 1}\nretention: {days: -1}\n")
    result = typed("config", "check")
    assert result.exit_code == 2
    assert "greenroom.yaml:1:10: limits.total" in result.output
    assert "did you mean per_user?" in result.output
    assert "greenroom.yaml:2" in result.output
    assert not (tmp_path / "state").exists()
    for command in ("run", "jobs", "config show"):
        assert typed(*command.split()).exit_code == 2


def test_config_show_tells_where_each_value_came_from(typed: Any, tmp_path: Path) -> None:
    (tmp_path / "greenroom.yaml").write_text("limits: {total: 3}\n")
    rows = {row["key"]: row for row in orjson.loads(typed("config", "show", "--json").output)}
    assert rows["limits.total"]["value"] == 3
    assert (
        rows["limits.total"]["source"].startswith("greenroom.yaml:1")
        or "greenroom.yaml" in rows["limits.total"]["source"]
    )
    assert rows["state_dir"] == {"key": "state_dir", "value": str(tmp_path / "state"), "source": "GREENROOM_HOME"}
    assert typed("config", "check").exit_code == 0


def test_config_show_prints_durations_and_sizes_as_a_file_has_them(typed: Any, tmp_path: Path) -> None:
    """Programs (--json) get numbers."""
    (tmp_path / "greenroom.yaml").write_text("queue: {reserve_after: 90}\napprovals: {timeout_hours: 1.5}\n")
    shown = dict(line.split()[:2] for line in typed("config", "show").output.splitlines() if line.count("  ") > 1)
    assert (shown["queue.reserve_after"], shown["approvals.timeout_hours"]) == ("90s", "90m")
    assert (shown["series.max_bytes"], shown["retention.days"]) == ("2GiB", "90d")
    rows = {row["key"]: row["value"] for row in orjson.loads(typed("config", "show", "--json").output)}
    assert (rows["queue.reserve_after"], rows["series.max_bytes"]) == (90, 2 << 30)


def test_without_supervisor_and_store_there_is_nothing_to_look_at(typed: Any) -> None:
    result = typed("jobs")
    assert result.exit_code == 1
    assert "start a supervisor: greenroom run" in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("settle", "j"),
        ("settle", "j", "--failed", "--not-run"),
        ("settle", "j", "--ran", "p1"),
        ("settle", "j", "--ran", '["p1"]'),
        ("prioritise", "j", "high"),
        ("jobs", "--status", "runing"),
        ("jobs", "--limit", "0"),
        ("submit", "--env", "NAME", "--", "true"),
        ("submit", "--set", "lr", "--", "true"),
        ("run", "--file", "missing.yaml"),
        ("limits", "set", "total", "many"),
    ],
)
def test_wrong_usage_is_status_2(typed: Any, words: tuple[str, ...]) -> None:
    assert typed(*words).exit_code == 2


def test_completion_is_printed_for_each_shell(typed: Any) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_GREENROOM_COMPLETE" in typed("completion", shell).output


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadInput), (422, BadInput), (404, Failed), (409, Failed), (503, TryLater), (500, Failed)]
)
def test_a_problem_becomes_the_failure_it_tells_of(status: int, kind: type[Failed]) -> None:
    """Bad input is exit status 2, everything else 1; from 500 on the correlation ID is told, to search the log with."""
    content = orjson.dumps({"detail": "why", "correlation_id": "c-1"})
    with pytest.raises(Failed, match="why") as caught:
        document_of(status, content)
    assert type(caught.value) is kind
    assert ("c-1" in caught.value.message) == (status >= 500)
    assert (kind.exit_code, NoSupervisor.exit_code) == (2 if kind is BadInput else 1, 1)


def test_an_answer_that_is_no_json_is_a_failure() -> None:
    with pytest.raises(Failed, match="no JSON"):
        document_of(200, b"<html>")


def test_identifiers_are_quoted_into_addresses() -> None:
    assert address(("api", "jobs", "../a b/?x")) == "/api/jobs/..%2Fa%20b%2F%3Fx"


def test_an_empty_identifier_is_refused_before_it_becomes_another_address() -> None:
    with pytest.raises(BadInput, match="an id or a name must not be empty"):
        address(("api", "jobs", "", "cancel"))


def test_every_option_of_submit_is_a_field_of_a_request_or_handled_by_the_command() -> None:
    """The option's name is what the API takes: one that is no field would be refused with "unknown key"."""
    handled = {
        "command", "assigned", "cpus", "gpus", "memory", "file", "wait", "no_check", "as_json", "config", "swept",
        "again", "retry_failed", "rerun_on", "rerun_delay", "url", "token_file", "insecure", "socket",
    }  # fmt: skip
    fields = {field.name for field in attrs.fields(JobRequest)}
    assert {option.name for option in submit.params} - fields - handled == set()
