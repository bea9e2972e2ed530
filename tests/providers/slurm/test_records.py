"""The records that outlive Slurm's own: written before and after, read as hostile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from actors.providers.slurm.records import Exit, Known, Records, Start
from tests.providers.slurm.answers import NOW


@pytest.fixture
def records(tmp_path: Path) -> Records:
    found = Records(tmp_path / "shared", tmp_path / "locks")
    found.make(NOW)
    return found


def test_an_intent_knows_its_token_its_age_and_then_its_job(records: Records) -> None:
    records.begin("k", "secret", NOW)
    intent = records.known("k", NOW + timedelta(seconds=90)).intent
    assert intent is not None
    assert (intent.token, intent.job_id, intent.at) == ("secret", None, NOW)
    assert intent.age == pytest.approx(90)
    records.accepted("k", "secret", NOW, 7)
    accepted = records.known("k", NOW).intent
    assert accepted is not None
    assert accepted.job_id == 7


def test_a_clock_that_was_put_back_makes_no_intent_young(records: Records) -> None:
    records.begin("k", "t", NOW)
    path = records.directory / "k.intent"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "uptime": content["uptime"] - 1000}))  # of this boot: it is certain
    earlier = records.known("k", NOW - timedelta(days=1)).intent
    assert earlier is not None
    assert earlier.age is not None
    assert earlier.age >= 1000
    path.write_text(json.dumps({**content, "boot": "another"}))
    unknown = records.known("k", NOW - timedelta(days=1)).intent
    assert unknown is not None
    assert unknown.age is None


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"status": true}', b'{"status": 256}', b'{"status": "0"}', b"\xff", b"x" * 100_000]
)
def test_an_exit_record_that_makes_no_sense_is_none(records: Records, content: bytes) -> None:
    (records.directory / "k.exit").write_bytes(content)
    assert records.known("k", NOW) == Known()


@pytest.mark.parametrize("odd", ["1e999", "-1", "true", '"now"', "99999999999999"])
def test_times_that_make_no_sense_are_left_out_of_an_exit_record(records: Records, odd: str) -> None:
    (records.directory / "k.exit").write_text(f'{{"status": 3, "ended": {odd}, "job": {odd}, "node": "a\\u001bb"}}')
    exited = records.known("k", NOW).exit
    assert isinstance(exited, Exit)
    assert (exited.status, exited.ended, exited.node) == (3, None, None)


def test_what_a_job_puts_in_the_place_of_a_record_is_not_followed(records: Records, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"status": 0}')
    (records.directory / "k.exit").symlink_to(secret)
    os.mkfifo(records.directory / "l.exit")
    (records.directory / "k.started").symlink_to(tmp_path)
    assert records.known("k", NOW) == Known(start=Start())  # something stands there: it was started
    assert records.known("l", NOW) == Known()


def test_a_directory_without_its_mark_is_no_proof_of_absence(records: Records) -> None:
    (records.directory / "greenroom.json").unlink()
    with pytest.raises(OSError, match="is its file system mounted"):
        records.known("k", NOW)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_directory_in_which_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(mode)
    with pytest.raises(PermissionError, match="other users can write there: chmod 700"):
        Records(tmp_path / "shared", tmp_path / "locks").make(NOW)


def test_the_mark_keeps_the_first_time(records: Records) -> None:
    assert records.make(NOW + timedelta(days=1)) == NOW


@pytest.mark.parametrize(
    ("content", "devices"),
    [('{"devices": "0,1"}', ("0", "1")), ('{"devices": ""}', ()), ('{"devices": "0,,1"}', ()), ('{"devices": 7}', ())],
)
def test_the_devices_of_a_start_are_named(records: Records, content: str, devices: tuple[str, ...]) -> None:
    (records.directory / "k.started").mkdir()
    (records.directory / "k.started" / "job").write_text(content)
    assert records.known("k", NOW) == Known(start=Start(devices=devices))


def test_removing_takes_all_of_a_key_and_may_be_repeated(records: Records) -> None:
    records.begin("k", "t", NOW)
    (records.directory / "k.started").mkdir()
    (records.directory / "k.started" / "job").write_text("{}")
    (records.directory / "k.exit").write_text('{"status": 0}')
    records.begin("other", "t", NOW)
    for _ in range(2):
        records.remove("k")
    assert sorted(path.name for path in records.directory.iterdir()) == ["greenroom.json", "jobs", "other.intent"]


def test_a_withdrawn_intent_forgets_no_start(records: Records) -> None:
    records.begin("k", "t", NOW)
    (records.directory / "k.started").mkdir()
    for _ in range(2):
        records.withdraw("k")
    assert records.known("k", NOW) == Known(start=Start())


def test_while_a_process_that_inherited_the_lock_lives_nobody_else_gets_it(records: Records) -> None:
    with records.locked("k") as fd:
        assert fd is not None
        waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        child = subprocess.Popen(waits, stdin=subprocess.PIPE, pass_fds=(fd,))
    with child:
        assert not records.no_sbatch_lives("k")
        records.remove("k")
        assert not records.no_sbatch_lives("k")
        assert records.no_sbatch_lives("other")
        assert child.stdin is not None
        child.stdin.close()
    assert records.no_sbatch_lives("k")
