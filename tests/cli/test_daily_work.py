"""What a user asks every day: what a job inherits, all that is known of it, the last lines of its output, durations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.cli.test_slim import CLIENT, NEVER, SUBMIT, loaded, ours


def test_variables_are_inherited_as_the_configuration_says_and_shown_by_name(
    terminal: Any, request: Any, job_file: Any
) -> None:
    """E12: added to the usual ones, for single jobs and for those of a file; values are never shown."""
    Path(terminal.cwd, "greenroom.yaml").write_text("submission: {env_from: ['WANDB_*']}\n")
    terminal.environment |= {"WANDB_MODE": "offline-7", "MY_TOKEN": "t-7", "OTHER": "o-7"}
    request.getfixturevalue("supervisor")
    script = "echo $WANDB_MODE $MY_TOKEN $OTHER."
    words = ("submit", "--wait", "--json", "--env-from", "MY_*", "--env-from", "NOT_SET", "--", "sh", "-c", script)
    job = terminal.json(*words)
    assert terminal.type("logs", job["job_id"]).stdout == "offline-7 t-7 .\n"
    assert {"WANDB_MODE", "MY_TOKEN", "PATH"} <= set(job["environment"]["inherited"])
    assert job["environment"]["not_set"] == ["NOT_SET"]
    shown = terminal.type("show", job["job_id"]).stdout
    assert re.search(r"environment: +inherited .*MY_TOKEN.*WANDB_MODE.*not set NOT_SET\n", shown)
    assert "offline-7" not in shown
    everything = terminal.json("submit", "--wait", "--json", "--env-from", "all", "--", "sh", "-c", script)
    assert terminal.type("logs", everything["job_id"]).stdout == "offline-7 t-7 o-7.\n"
    name = job_file(f"jobs:\n  - {{command: [sh, -c, '{script}']}}\n  - {{command: ['true'], env_from: [OTHER]}}\n")
    first, second = terminal.json("submit", "--wait", "--json", "--file", name)
    assert terminal.type("logs", first["job_id"]).stdout == "offline-7 .\n"
    assert second["environment"]["inherited"] == ["OTHER"]  # a job that says what it inherits gets that


def test_a_submission_reads_no_yaml_where_the_supervisor_has_read_it(terminal: Any, request: Any) -> None:
    Path(terminal.cwd, "greenroom.yaml").write_text("submission: {env_from: ['WANDB_*']}\n")
    request.getfixturevalue("supervisor")
    modules = loaded(terminal, "submit", "--", "true")
    assert modules & NEVER == set()
    assert ours(modules) <= CLIENT | SUBMIT


def test_a_job_shows_all_that_is_known_of_it(terminal: Any, supervisor: Any) -> None:
    job = terminal.json(
        "submit", "--wait", "--json", "--env", "A=secret-7", "--max-runtime", "1.5h", "--memory", "1MB", "--name", "t",
        "--", "sh", "-c", "touch $GREENROOM_OUTPUT_DIR/kept",
    )  # fmt: skip
    assert (job["cwd"], job["max_runtime"], job["environment"]["set"]) == (str(terminal.cwd), 5400.0, ["A"])
    assert job["resources"] == {"cpus": 1, "gpus": 0, "memory": 1_000_000}
    assert Path(job["output_directory"], "kept").exists()
    shown = terminal.type("show", job["job_id"]).stdout
    for words in ("command: ", "cwd: ", "environment: ", "resources: ", "output_directory: ", "max_runtime: "):
        assert words in shown
    assert re.search(r"resources: +1 CPU, 976.6 KiB of memory\n", shown)
    assert re.search(r"max_runtime: +1 h 30 min\n", shown)
    assert "secret-7" not in shown
    assert "GPU" not in terminal.type("jobs").stdout  # no column where nobody needs one


def test_gpus_have_a_column_and_their_names_are_shown(terminal: Any, request: Any) -> None:
    Path(terminal.cwd, "greenroom.yaml").write_text("providers: {local: {gpus: 2}}\n")
    request.getfixturevalue("supervisor")
    job = terminal.json("submit", "--wait", "--json", "--gpus", "2", "--", "true")
    assert job["devices"] == ["0", "1"]
    terminal.json("submit", "--wait", "--json", "--", "true")
    header, without, both = terminal.type("jobs").stdout.splitlines()
    assert [line[header.index("GPU") :].split()[0] for line in (both, without)] == ["0,1", "completed"]
    assert re.search(r"devices: +0 1\n", terminal.type("show", job["job_id"]).stdout)
    refused = terminal.type("submit", "--gpus", "3", "--", "true")
    assert refused.returncode == 2
    assert "this machine has 2 GPUs in all, the job needs 3 GPUs; ask for less" in refused.stderr


def test_the_last_lines_of_an_output_and_those_since_a_time(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--wait", "--json", "--", "sh", "-c", "seq 5")["job_id"]
    assert terminal.type("logs", "--tail", "2", job).stdout == "4\n5\n"
    assert terminal.type("logs", "--tail", "0", job).stdout == ""
    assert terminal.type("logs", "--follow", "--tail", "1", job).stdout == "5\n"
    assert terminal.type("logs", "--since", "1h", job).stdout == "1\n2\n3\n4\n5\n"
    assert terminal.type("logs", "--since", "1h", "--tail", "1", job).stdout == "5\n"
    assert terminal.type("logs", "--since", "2099-01-01T00:00", job).stdout == ""
    wrong = terminal.type("logs", "--since", "soon", job)
    assert (wrong.returncode, "--since: must be a time such as" in wrong.stderr) == (2, True)


def test_the_last_lines_are_read_without_a_supervisor_too(terminal: Any, supervisor: Any) -> None:
    job = terminal.json("submit", "--wait", "--json", "--", "sh", "-c", "seq 5")["job_id"]
    supervisor.terminate()
    supervisor.communicate()
    assert terminal.type("logs", "--tail", "2", job).stdout == "4\n5\n"
    assert terminal.type("logs", "--since", "2099-01-01T00:00", job).stdout == ""


def test_a_duration_or_size_that_can_mean_two_things_is_refused_at_once(terminal: Any) -> None:
    """Before a supervisor is asked: none runs here."""
    refused = terminal.type("submit", "--max-runtime", "1h90", "--", "true")
    assert (refused.returncode, "90 has no unit; write 1h90m" in refused.stderr) == (2, True)
    refused = terminal.type("submit", "--memory", "8G", "--", "true")
    assert refused.returncode == 2
    assert "write 8GiB (2^30 bytes each) or 8GB (10^9)" in " ".join(refused.stderr.split())


def test_what_cannot_run_is_refused_unless_the_check_is_left_out(terminal: Any, supervisor: Any, job_file: Any) -> None:
    """For one job, a file, a retry; with --no-check there is a warning on stderr."""
    refused = terminal.type("submit", "--", "pythn", "train.py")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "command: 'pythn' is not found in the job's PATH" in refused.stderr
    job = terminal.type("submit", "--no-check", "--wait", "--json", "--", "pythn", "train.py")
    assert job.returncode == 127
    assert "warning: command: 'pythn' is not found in the job's PATH" in job.stderr
    (shown,) = terminal.json("jobs", "--json")
    assert terminal.type("retry", shown["job_id"]).returncode == 2
    assert "warning: " in terminal.type("retry", "--no-check", shown["job_id"]).stderr
    name = job_file(
        "jobs:\n  - {command: ['true']}\n  - {command: ['true'], cwd: gone}\n  - {command: [a], cwd: gone}\n"
    )
    refused = terminal.type("submit", "--file", name)
    assert refused.returncode == 2
    assert re.search(r"jobs.yaml: jobs\[1\]: cwd: '\S*/gone' does not exist on this machine", refused.stderr)
    assert len(terminal.json("jobs", "--json")) == 2
    accepted = terminal.type("submit", "--no-check", "--file", name)
    assert accepted.stderr.count("warning: ") == 1
    assert "(2 jobs)" in accepted.stderr
