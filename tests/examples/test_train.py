"""The example training program, run as a real process, and the sweep that is made of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from actors.job_requests.job_file import load_job_file
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep, expand

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TRAIN = EXAMPLES / "train"
FAST = ("--hidden", "6", "--lr", "0.5")


def environment(folder: Path | None = None, **more: str) -> dict[str, str]:
    """This process's environment with Greenroom's places in `folder`, or with none of them."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GREENROOM_", "SIMPLETUNER_"))}
    if folder is not None:
        env["GREENROOM_PROGRESS_FILE"] = str(folder / "progress.jsonl")
        env["GREENROOM_RESULT_FILE"] = str(folder / "result.json")
        env["GREENROOM_OUTPUT_DIR"] = str(folder / "output")
    return env | more


def train(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "train.py", *arguments]
    return subprocess.run(command, cwd=TRAIN, env=env or environment(), capture_output=True, text=True, check=False)


def progress(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


def result(folder: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return metrics


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one uninterrupted run of six epochs."""
    folder = tmp_path_factory.mktemp("whole")
    done = train(*FAST, "--epochs", "6", env=environment(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_a_run_reports_every_epoch_and_leaves_its_metrics(whole: Path) -> None:
    """Progress has a line an epoch; the loss falls; the result holds the last epoch's accuracy and the settings."""
    lines = progress(whole)
    assert [(line["step"], line["total"]) for line in lines] == [(step, 6) for step in range(1, 7)]
    assert lines[-1]["loss"] < lines[0]["loss"] / 2
    metrics = result(whole)
    named_alike = lines[-1].keys() & metrics.keys()
    assert named_alike == {"accuracy", "held_out_loss"}
    assert {name: metrics[name] for name in named_alike} == {name: lines[-1][name] for name in named_alike}
    assert {name: metrics[name] for name in ("lr", "hidden", "epochs", "seed")} == {
        "lr": 0.5,
        "hidden": 6,
        "epochs": 6,
        "seed": 1,
    }
    assert [path.name for path in whole.iterdir() if path.name.endswith(".tmp")] == []


def test_it_learns_to_read_digits_it_never_saw(whole: Path) -> None:
    """Held-out accuracy is far above that of always answering the commonest digit."""
    metrics = result(whole)
    assert 0.05 < metrics["majority_baseline"] < 0.2
    assert metrics["accuracy"] > 3 * metrics["majority_baseline"]


def test_a_killed_run_resumes_to_the_result_of_an_uninterrupted_one(whole: Path, tmp_path: Path) -> None:
    """SIGKILL in the third epoch; the same command goes on behind the second, to the same metrics and weights."""
    env = environment(tmp_path)
    assert train(*FAST, "--epochs", "2", env=env).returncode == 0
    (tmp_path / "result.json").unlink()
    command = [sys.executable, "train.py", *FAST, "--epochs", "6"]
    os.mkfifo(tmp_path / "unread")  # nobody reads it: the run cannot get past the third epoch before it is killed
    stuck = env | {"GREENROOM_PROGRESS_FILE": str(tmp_path / "unread")}
    with subprocess.Popen(command, cwd=TRAIN, env=stuck, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert "resumed after epoch 2\n" in iter(killed.stdout.readline, "")
        killed.kill()
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "result.json").exists()

    last = train(*FAST, "--epochs", "6", env=env)

    assert last.returncode == 0, last.stderr
    assert "resumed after epoch 2\n" in last.stdout
    assert [line["step"] for line in progress(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert result(tmp_path) == result(whole)
    weights = [json.loads((folder / "output" / "checkpoint.json").read_text()) for folder in (tmp_path, whole)]
    assert weights[0] == weights[1]


def test_a_run_in_a_new_directory_goes_on_from_the_checkpoint_of_the_attempt_before(
    whole: Path, tmp_path: Path
) -> None:
    """The third attempt finds what the first one left, though the second was interrupted before its first epoch."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for folder in (first, second, third):
        folder.mkdir()
    assert train(*FAST, "--epochs", "2", env=environment(first)).returncode == 0
    for folder, before, epochs in ((second, first, "2"), (third, second, "6")):
        env = environment(folder) | {"GREENROOM_PREVIOUS_OUTPUT_DIR": str(before / "output")}
        done = train(*FAST, "--epochs", epochs, env=env)
        assert "resumed after epoch 2\n" in done.stdout, done.stderr
    assert [line["step"] for line in progress(third)] == [3, 4, 5, 6]
    assert result(third) == result(whole)


def test_a_checkpoint_of_other_settings_is_refused(whole: Path) -> None:
    """Another learning rate in the same output directory: status 1, both values named, the result left alone."""
    before = result(whole)
    refused = train("--hidden", "6", "--lr", "0.25", "--epochs", "6", env=environment(whole))
    assert refused.returncode == 1
    assert "other settings: lr 0.5, now 0.25" in refused.stderr
    assert result(whole) == before


def test_divergence_fails_with_one_line_that_names_the_cause(tmp_path: Path) -> None:
    """A learning rate far too large: status 1, one line on stderr, no result."""
    failed = train("--lr", "20", env=environment(tmp_path))
    assert failed.returncode == 1
    assert failed.stderr.startswith("train.py: diverged in epoch 1: mean loss")
    assert failed.stderr.endswith("--lr 20 is too large\n")
    assert failed.stderr.count("\n") == 1
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--lr", "nan"], 1, "train.py: --lr must be a number above 0, not nan\n"),
        (["--hidden", "0"], 1, "train.py: --hidden must be 1 to 512, not 0\n"),
        (["--data", "none.csv"], 1, "cannot read the data file none.csv"),
        (["--data", "README.md"], 1, "README.md:2: 65 columns expected, "),
        (["--lr", "fast"], 2, "argument --lr: invalid float value: 'fast'"),
        (["--speed", "1"], 2, "unrecognized arguments: --speed 1"),
    ],
)
def test_bad_input_is_refused_with_its_reason(arguments: list[str], status: int, says: str) -> None:
    """A senseless value or file is status 1, a wrong command line is status 2."""
    refused = train(*arguments)
    assert refused.returncode == status
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def test_without_greenroom_it_prints_and_writes_nothing(tmp_path: Path) -> None:
    """No variable set: plain lines, no file anywhere near the program or the data."""
    before = {path.name for path in TRAIN.iterdir()} | {"__pycache__"}
    done = train(*FAST, "--epochs", "1")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("done: held-out accuracy ")
    assert {path.name for path in TRAIN.iterdir()} <= before


def test_every_line_carries_the_correlation_id_it_was_given() -> None:
    """With an ID the lines go through logconf: JSON, the same ID from the first line to the failure."""
    failed = train("--lr", "20", env=environment(GREENROOM_CORRELATION_ID="abc123"))
    lines = [json.loads(line) for line in failed.stdout.splitlines()]
    assert [line["level"] for line in lines] == ["INFO", "ERROR"]
    assert {line["correlation_id"] for line in lines} == {"abc123"}
    assert lines[1]["message"].endswith("--lr 20 is too large")
    assert failed.stderr == "", "the reason is written once"
    assert lines[0]["source"]["file"] == "train.py"
    assert lines[0]["extra"]["lr"] == 20.0


def trainings() -> list[JobRequest]:
    """The jobs of the sweep that train."""
    found = load_job_file(EXAMPLES / "sweep.yaml", environ={}).requests
    jobs = [job for one in found for job in (expand(one) if isinstance(one, Sweep) else [one])]
    return [job for job in jobs if job.command is not None and job.command[:2] == ("python", "train.py")]


def test_the_sweep_shows_what_it_says() -> None:
    """Twelve jobs of three users in two organisations; one asks for an approval, one is the divergence tested above."""
    jobs = trainings()
    assert len(jobs) == len({job.config_name for job in jobs}) == 12
    assert {(job.user_id, job.org_id) for job in jobs} == {("ana", "lab"), ("bo", "lab"), ("chi", "studio")}
    assert [job.config_name for job in jobs if job.requires_approval] == ["units-64"]
    assert [job.config_name for job in jobs if job.parameters.get("lr") == "20"] == ["rate-20-8"]
    assert len({job.priority_override for job in jobs}) > 2
    assert all(count >= 2 for count in Counter(job.user_id for job in jobs).values())
    assert {job.cwd for job in jobs} == {str(TRAIN)}


def test_every_command_of_the_sweep_is_accepted() -> None:
    """Each job's arguments pass the program's own parser and check (one process for all: interpreters start slowly)."""
    arguments = [job.command[2:] for job in trainings() if job.command is not None]
    program = "import json, sys, train\nfor a in json.loads(sys.argv[1]): train.check(train.parse_arguments(a))"
    command = [sys.executable, "-c", program, json.dumps(arguments)]
    done = subprocess.run(command, cwd=TRAIN, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_job_waits_for_the_whole_group_and_picks_its_best() -> None:
    found = load_job_file(EXAMPLES / "sweep.yaml", environ={}).requests
    (waiting,) = [one for one in found if isinstance(one, JobRequest) and one.after]
    assert (waiting.command, waiting.cwd) == (("python", "best.py"), str(TRAIN))
    assert (waiting.after, waiting.after_mode) == (({"group": "rates"},), "ended")
    group = [job for job in trainings() if job.group == "rates"]
    assert {job.user_id for job in (*group, waiting)} == {"ana"}
    assert len(group) == 7


def best(folder: Path, parents: list[dict[str, Any]] | None) -> subprocess.CompletedProcess[str]:
    """`best.py`, after these jobs."""
    env = environment(folder)
    if parents is not None:
        (folder / "parents.json").write_text(json.dumps(parents))
        env["GREENROOM_PARENTS"] = str(folder / "parents.json")
    command = [sys.executable, "best.py"]
    return subprocess.run(command, cwd=TRAIN, env=env, capture_output=True, text=True, check=False)


def parent(name: str, status: str = "completed", folder: Path | None = None, **result: Any) -> dict[str, Any]:
    """A job as GREENROOM_PARENTS has it."""
    output = None if folder is None else str(folder)
    return {"job_id": f"id-{name}", "name": name, "status": status, "output_dir": output, "result": result or None}


def test_the_best_is_the_completed_job_with_the_greatest_accuracy(tmp_path: Path) -> None:
    """Whoever failed, was cancelled or left no result is no candidate; the best one's checkpoint is at hand."""
    left = tmp_path / "b"
    left.mkdir()
    (left / "checkpoint.json").write_text("{}")
    done = best(tmp_path, [
        parent("a", accuracy=0.5), parent("b", folder=left, accuracy=0.9, loss=0.2), parent("c", "failed", accuracy=1),
        parent("d", "cancelled"), parent("e"), parent("f", accuracy=0.9),
    ])  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["b: 90.0%", "f: 90.0%", "a: 50.0%", "best of 6: b"]
    result = json.loads((tmp_path / "result.json").read_text())
    assert result == {"best": "b", "job_id": "id-b", "accuracy": 0.9, "loss": 0.2}
    assert (tmp_path / "output" / "checkpoint.json").read_text() == "{}"


def test_without_a_candidate_it_fails_with_one_line(tmp_path: Path) -> None:
    done = best(tmp_path, [parent("a", "failed"), parent("b")])
    assert (done.returncode, done.stderr) == (1, "best.py: none of 2 jobs has an accuracy\n")
    assert best(tmp_path, None).returncode == 2
