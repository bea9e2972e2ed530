"""kill -9 in the middle of a backup or of a restore: no half file under its name, and the next one succeeds (F3)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from actors.testing import request

pytestmark = pytest.mark.parts

ROOT = Path(__file__).resolve().parents[2]

# Calls a command and kills its own process at the n-th call of a function of the standard library, before it acts.
KILLED_AT = """
import importlib, os, signal, sys
module, name, number, *command = sys.argv[1:]
owner = importlib.import_module(module)
for part in name.split(".")[:-1]:
    owner = getattr(owner, part)
name = name.split(".")[-1]
before, left = getattr(owner, name), [int(number)]
def killed(*arguments, **options):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return before(*arguments, **options)
setattr(owner, name, killed)
from actors.cli import main
main(command)
"""

BACKUP = [
    ("os", "fsync", 1),
    ("os", "link", 1),
    ("zipfile", "ZipFile.close", 1),
    ("actors.store.copying", "examine", 1),
]
RESTORE = [
    *(("os", "fsync", number) for number in (1, 3, 4, 6)), ("trio", "run", 1), ("pathlib", "Path.rename", 1),
    ("pathlib", "Path.replace", 1), ("shutil", "rmtree", 2),
]  # fmt: skip


def command(site, *words, at=None):
    """Run a command to its end, or until it is killed ``at`` a call."""
    plain = {key: one for key, one in os.environ.items() if not key.startswith(("SIMPLETUNER_", "GREENROOM_"))}
    environment = {**plain, "HOME": str(site.folder), "GREENROOM_HOME": str(site.original), "PYTHONPATH": str(ROOT)}
    begin = ["-m", "actors"] if at is None else ["-c", KILLED_AT, *map(str, at)]
    return subprocess.run(
        [sys.executable, *begin, *words], cwd=site.folder, env=environment, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.fixture
async def site(site):
    """With a runtime that was stopped, and its configuration."""
    async with site.open(site.original) as runtime:
        await runtime.submit(request(duration=10_000))
    (site.folder / "greenroom.yaml").write_text("limits: {total: 3}\n")
    return site


@pytest.mark.parametrize("at", BACKUP)
async def test_a_killed_backup_leaves_the_old_file_or_none(site, at):
    for old in (None, b"old"):
        words = ["backup", str(site.file), *([] if old is None else ["--force"])]
        if old is not None:
            site.file.write_bytes(old)
        done = command(site, *words, at=at)
        if done.returncode == 0:  # with --force nothing is linked
            assert at[1] == "link"
            continue
        assert done.returncode == -signal.SIGKILL, done.stderr
        is_whole = site.file.exists() and zipfile.is_zipfile(site.file)
        assert is_whole or (site.file.read_bytes() if site.file.exists() else None) == old
        again = command(site, "backup", str(site.file), "--force")
        assert again.returncode == 0, again.stderr
        assert list(site.folder.glob(".greenroom-backup-*")) == []
        site.file.unlink()


@pytest.mark.parametrize("at", RESTORE)
async def test_a_killed_restore_leaves_no_database_and_can_be_repeated(site, at):
    assert command(site, "backup", str(site.file)).returncode == 0
    words = ["restore", str(site.file), "--into", str(site.new), "--original-stopped"]
    done = command(site, *words, at=at)
    if done.returncode == 0:  # it makes fewer such calls
        assert at[1] == "fsync"
        return
    assert done.returncode == -signal.SIGKILL, done.stderr
    database = site.new / "greenroom.db"
    if not database.exists():
        again = command(site, *words)
        assert again.returncode == 0, again.stderr
        assert not (site.new / ".greenroom-restore").exists()
    async with site.open(site.new) as runtime:
        assert (await runtime.queue.view()).paused is not None
        assert (site.new / "greenroom.yaml").read_text().startswith('state_dir: "."\nlimits')
