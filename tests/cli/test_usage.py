"""Arguments, settings and words: what needs no supervisor, in this process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from click.testing import CliRunner, Result

from actors.cli.board import Board
from actors.cli.client import NoSupervisor, address, document_of
from actors.cli.context import BadInput, Failed, TryLater
from actors.cli.display import actors_line, console, jobs_table, queue_line
from actors.cli.event_text import describe, parsed
from actors.cli.group import cli
from actors.cli.job_text import duration, lasted, metrics, name_of, note, standing
from actors.cli.submit import submit
from actors.cli.tables import plain
from actors.cli.waiting import exit_status
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


def job(**fields: Any) -> dict[str, Any]:
    base = {
        "job_id": "01m87000000000000000000abc", "status": "pending", "queue_status": "pending", "config_name": "small",
        "user_id": "ana", "completed_at": None, "started_at": None, "cancel_requested_at": None, "uncertain": None,
        "reason": None, "error_message": None, "progress": None, "result": None, "exit_code": None, "command": None,
        "entry_point": None, "created_at": None,
    }  # fmt: skip
    return {**base, **fields}


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_where_a_job_stands_in_words() -> None:
    """B14: "running, cancel requested 12 s ago"; blocked is told, though the job itself is pending."""
    assert standing(job()) == "pending"
    assert standing(job(queue_status="blocked")) == "blocked"
    cancelled = job(status="running", queue_status="running", cancel_requested_at=ago(12))
    assert standing(cancelled) == "running, cancel requested 12 s ago"
    assert standing(job(status="running", uncertain={"since": ago(1), "reason": "lost"})) == "running, uncertain"


def test_what_else_there_is_to_say_of_a_job() -> None:
    assert note(job(reason="waiting for 2 GPUs, 1 free")) == "waiting for 2 GPUs, 1 free"
    assert "greenroom settle" in note(job(uncertain={"since": ago(1), "reason": "answer lost"}))
    assert note(job(status="running", progress={"step": 2, "total": 9, "loss": 0.51234})) == "2/9  loss 0.5123"
    assert note(job(status="failed", error_message="exit status 1")) == "exit status 1"
    assert metrics({"loss": "nan", "accuracy": 0.5}) == "accuracy 0.5"


def test_a_job_is_called_by_its_name_or_its_program() -> None:
    assert name_of(job()) == "small"
    assert name_of(job(config_name=None, command=["python", "train.py"])) == "(python train.py)"
    assert name_of(job(config_name=None)) == "000000000abc"


@pytest.mark.parametrize(
    ("seconds", "words"), [(4.24, "4.2 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (0, "0.0 s")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert lasted(seconds) == words
    assert duration(job(started_at="2026-01-01T00:00:00.000Z", completed_at="2026-01-01T00:03:20.000Z")) == "3 min 20 s"


def test_what_terminals_obey_is_replaced() -> None:
    assert (
        plain("a\x1b[2J\tb\nc\u202e")
        == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b / c\N{REPLACEMENT CHARACTER}"
    )


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "completed", "exit_code": 0}, 0),
        ({"status": "failed", "exit_code": 7}, 7),
        ({"status": "failed", "exit_code": None}, 1),
        ({"status": "failed", "exit_code": -9}, 1),
        ({"status": "cancelled", "exit_code": 0}, 1),
        ({"status": "failed", "exit_code": None, "signal": 9}, 137),
        ({"status": "cancelled", "exit_code": None, "signal": 15}, 143),
        ({"status": "failed", "exit_code": 3, "signal": None}, 3),
    ],
)
def test_the_exit_status_is_the_jobs(fields: dict[str, Any], status: int) -> None:
    assert exit_status(job(**fields)) == status


def test_events_are_read_from_a_stream() -> None:
    lines = [
        "event: connection",
        'data: {"type":"connected"}',
        "",
        ": heartbeat",
        "",
        "id: 4",
        'data: {"type":"x"}',
        "",
    ]
    assert list(parsed(lines)) == [("connection", {"type": "connected"}), ("message", {"type": "x"})]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"type": "job_status_changed", "status": "failed", "error_message": "boom"}, "small failed: boom"),
        ({"type": "job_status_changed", "status": "completed"}, "small completed"),
        ({"type": "job_status_changed", "status": "running"}, "small is running"),
        (
            {"type": "approval_requested", "approval_id": "a" * 26, "reason": "dear"},
            "small waits for an approval: dear",
        ),
        ({"type": "approval_granted", "by": "bo"}, "small is approved by bo"),
        ({"type": "job_progress", "progress": {"step": 1, "total": 2}}, "small progress 1/2"),
        ({"type": "job_progress", "progress": {"phase": "warm-up", "reward": 3.25}}, "small progress reward 3.25"),
        ({"type": "job_progress", "progress": {"phase": "warm-up"}}, "small progress reported"),
        (
            {"type": "provider_paused", "job_id": None, "provider": "ray", "by": "bo", "reason": "by bo"},
            "small provider ray is paused by bo",
        ),
        ({"type": "something_new"}, "small something new"),
    ],
)
def test_events_in_words(event: dict[str, Any], words: str) -> None:
    assert describe({"job_id": "j", **event}, "small").startswith(words)


def test_limits_and_providers_are_told_without_a_job() -> None:
    assert (
        describe({"type": "limits_changed", "job_id": None, "limit": "total", "value": 3}) == "limits: total is now 3"
    )
    assert describe({"type": "provider_paused", "job_id": None, "provider": "ray", "reason": "moving"}) == (
        "provider ray is paused: moving"
    )


def test_the_picture_shows_bars_reasons_and_troubled_actors() -> None:
    """Bars come from step and total; values that a job made up draw none and break nothing."""
    jobs = [
        job(status="running", queue_status="running", progress={"step": 3, "total": 6, "loss": 0.25}),
        job(config_name="odd", status="running", progress={"step": "x", "total": float("inf")}),
        job(config_name="waits", reason="waiting for 1 CPU, 0 free"),
    ]
    screen = console()
    with screen.capture() as captured:
        screen.print(jobs_table(jobs, 150))
    text = captured.get()
    assert "━" in text
    assert "loss 0.25" in text
    assert "waiting for 1 CPU, 0 free" in text
    tree = [{"id": "actors", "state": "running", "restarts": 0, "children": [
        {"id": "scheduler", "state": "restarting", "restarts": 2}, {"id": "poller", "state": "running", "restarts": 0},
    ]}]  # fmt: skip
    assert actors_line(tree) == "actors  scheduler restarting (restarted 2x), poller"
    board = Board()
    board.queue = {
        "counts": {"pending": 2},
        "summary": "All blocked",
        "running": 0,
        "at_providers": [],
        "closed_providers": {"ray": "provider ray is paused"},
    }
    assert queue_line(board) == "queue   2 pending. All blocked; provider ray is paused"


def test_a_board_with_a_file_concerns_that_files_jobs() -> None:
    board = Board()
    board.begin_with([job(job_id="f1"), job(job_id="f2")])
    board.add([job(job_id="other")])
    assert [one["job_id"] for one in board.jobs()] == ["f1", "f2"]
    assert board.others() == 1
    assert not board.note({"type": "job_queued", "job_id": "f1"})
    assert board.note({"type": "job_queued", "job_id": "new"})


def test_every_option_of_submit_is_a_field_of_a_request_or_handled_by_the_command() -> None:
    """The option's name is what the API takes: one that is no field would be refused with "unknown key"."""
    handled = {
        "command", "assigned", "cpus", "gpus", "memory", "file", "wait", "no_check", "as_json", "config", "swept",
        "again", "retry_failed", "rerun_on", "rerun_delay", "url", "token_file", "insecure", "socket",
    }  # fmt: skip
    fields = {field.name for field in attrs.fields(JobRequest)}
    assert {option.name for option in submit.params} - fields - handled == set()
