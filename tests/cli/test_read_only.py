"""Commands that look at a state directory on a disk that is mounted read-only, and one on a network file system."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner

from actors.cli.doctor import doctor
from actors.kernel import VirtualClock
from actors.runtime import Parts, open_runtime
from actors.store import InlineExecutor
from actors.testing import virtual_settings

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "state-0.1.0" / "state.tar.gz"
SCRIPT = """
mount -t tmpfs none "$PLACE" && cp -a "$FROM/." "$PLACE" && mount -o remount,ro "$PLACE" || exit 99
export GREENROOM_HOME="$PLACE"
"$@"
"""


def can_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


def on_a_read_only_disk(state: Path, place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command says of a copy of `state` on a disk that is mounted read-only, in a mount table of its own."""
    place.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "actors", *arguments]
    environment = {**os.environ, "PLACE": str(place), "FROM": str(state)}
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", *command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(params=["closed in order", "killed"])
def state(request, tmp_path):
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(tmp_path, filter="tar")
    if request.param == "killed":
        live = tmp_path / "live.db"
        shutil.copy(tmp_path / "state" / "greenroom.db", live)
        connection = sqlite3.connect(live, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE jobs SET user_id = 'only-in-the-log' WHERE status = 'completed'")
        shutil.copy(live, tmp_path / "state" / "greenroom.db")
        shutil.copy(tmp_path / "live.db-wal", tmp_path / "state" / "greenroom.db-wal")
        connection.close()
    return tmp_path / "state"


@pytest.mark.parts
@pytest.mark.skipif(not can_mount(), reason="needs root and the right to mount")
def test_what_looks_reads_it_and_says_that_it_is_read_only(state, tmp_path):
    with sqlite3.connect(state / "greenroom.db") as connection:
        job_id = connection.execute("SELECT job_id FROM jobs WHERE status = 'failed'").fetchone()[0]
    connection.close()
    for arguments, shown in (
        (["jobs"], "file-one"),
        (["queue"], "pending-elsewhere"),
        (["show", job_id], "failed"),
        (["logs", job_id], "no"),
        (["approvals"], "blocked"),
    ):
        done = on_a_read_only_disk(state, tmp_path / "place", *arguments)
        assert done.returncode == 0, (arguments, done.stderr)
        assert shown in done.stdout
        assert "read-only" in done.stderr
        assert "Traceback" not in done.stderr
    done = on_a_read_only_disk(state, tmp_path / "place", "doctor")
    assert done.returncode == 1
    assert "read-only" in " ".join(done.stdout.split())
    assert "whole" in done.stdout


async def test_a_start_on_a_network_file_system_is_one_warning(autojump_clock, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("actors.runtime.network_kind", lambda _path: "nfs4")
    settings = attrs.evolve(virtual_settings(), state_dir=tmp_path)
    async with open_runtime(settings, Parts(clock=VirtualClock(), executor=InlineExecutor(), providers=[])):
        pass
    told = [record for record in caplog.records if "network file system (nfs4)" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING"]


def test_doctor_has_a_line_about_a_network_file_system(tmp_path, monkeypatch):
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    monkeypatch.setattr("actors.store.file_system.network_kind", lambda _path: "fuse.sshfs")
    done = CliRunner().invoke(doctor, ["--json"])
    assert done.exit_code == 1
    assert "network file system (fuse.sshfs)" in done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_only_reads_changes_nothing_in_a_directory_of_an_older_version(state, tmp_path):
    """Else the backup that is made before the first start would hold a database that the old version cannot read."""
    files = contents(state)
    folders = {path for path in state.rglob("*") if path.is_dir()}
    environment = {**os.environ, "GREENROOM_HOME": str(state)}
    for arguments, shown in ((["jobs"], "file-one"), (["queue"], "pending-elsewhere")):
        command = [sys.executable, "-m", "actors", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, shown in done.stdout) == (0, True), done.stderr
        assert "is of an older version" in done.stderr
    found = {name: content for name, content in contents(state).items() if not name.endswith("-shm")}
    assert found == {name: content for name, content in files.items() if not name.endswith("-shm")}
    assert {path for path in state.rglob("*") if path.is_dir()} == folders


def test_a_database_that_is_no_more_than_an_empty_file_is_not_filled_by_who_reads_it(tmp_path):
    (tmp_path / "greenroom.db").touch()
    environment = {**os.environ, "GREENROOM_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "actors", "jobs"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "There are no jobs.\n"), done.stderr
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {"greenroom.db": 0}
