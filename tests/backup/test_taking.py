"""The file of a backup: private, whole under its name or not there, replaced only when that is asked for (F3)."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from actors.backup import output
from actors.backup.errors import BackupError
from actors.backup.taking import take
from actors.jobs.notify_options import NotificationTarget, NotifyOptions
from actors.testing import request
from tests.backup.archives import members_of


@pytest.fixture
async def original(site):
    async with site.open(site.original) as runtime:
        await runtime.submit(request(duration=10))
    return site.settings(site.original)


def left(site):
    """What lies beside the backup."""
    return {path.name for path in site.folder.iterdir()} - {"original"}


async def test_it_is_private_and_a_second_one_needs_force(site, original):
    taken = take(original, site.file)
    assert stat.S_IMODE(site.file.stat().st_mode) == 0o600
    assert (taken.jobs, taken.active_jobs, taken.size) == (1, 1, site.file.stat().st_size)
    content = site.file.read_bytes()
    with pytest.raises(BackupError, match="exists already; give another name, or --force"):
        take(original, site.file)
    assert site.file.read_bytes() == content
    take(original, site.file, force=True)
    assert left(site) == {"backup.zip"}


async def test_it_is_of_one_moment_whatever_is_written_meanwhile(site, original, monkeypatch):
    """What is committed after the copy has begun is not in it, and the copy is not begun anew for that."""
    with closing(sqlite3.connect(original.state_dir / "greenroom.db", isolation_level=None)) as other:
        other.execute("INSERT INTO counters VALUES ('before', 1)")
        take(original, site.file)
        other.execute("INSERT INTO counters VALUES ('after', 1)")
    copy = site.folder / "copy.db"
    copy.write_bytes(members_of(site.file)["greenroom.db"])
    with closing(sqlite3.connect(copy)) as found:
        names = {name for (name,) in found.execute("SELECT name FROM counters")}
    assert "before" in names
    assert "after" not in names


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: os.mkfifo(path), "is a FIFO, and a backup is a regular file"),
        (lambda path: path.mkdir(), "is a directory, and a backup is a regular file"),
        (lambda path: path.symlink_to("elsewhere"), "is a link, and a backup is a regular file"),
    ],
)
async def test_what_is_no_regular_file_is_left_as_it_is(site, original, make, words, force):
    make(site.file)
    with pytest.raises(BackupError, match=words):
        take(original, site.file, force=force)
    assert left(site) == {"backup.zip"}


async def test_a_directory_that_is_missing_is_named(site, original):
    with pytest.raises(BackupError, match="there is no directory"):
        take(original, site.folder / "missing" / "backup.zip")
    (site.folder / "file").touch()
    with pytest.raises(BackupError, match="cannot write"):
        take(original, site.folder / "file" / "backup.zip")


async def test_a_full_disk_leaves_nothing_and_the_old_backup(site, original, monkeypatch):
    site.file.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BackupError, match="No space left on device"):
        take(original, site.file, force=True)
    assert site.file.read_bytes() == b"old"
    assert left(site) == {"backup.zip"}


async def test_where_files_cannot_be_linked_it_gets_its_name_all_the_same(site, original, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    take(original, site.file)
    assert left(site) == {"backup.zip"}


async def test_what_a_killed_backup_left_is_removed_by_the_next_one_and_a_living_one_is_not(site, original):
    (site.folder / ".greenroom-backup-dead").mkdir()
    (site.folder / ".greenroom-backup-dead" / "greenroom.db").touch()
    with output.working_folder(site.file) as living:
        take(original, site.file)
        assert left(site) == {"backup.zip", living.name}


async def test_an_empty_directory_has_nothing_to_back_up(site):
    site.original.mkdir()
    with pytest.raises(BackupError, match=r"there is nothing in .* yet"):
        take(site.settings(site.original), site.file)
    assert left(site) == set()


async def test_a_damaged_database_is_no_backup(site, original):
    database = original.state_dir / "greenroom.db"
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\xff" * 4096 * 17
    database.write_bytes(content)
    with pytest.raises(BackupError, match=r"no backup was made: .*damaged"):
        take(original, site.file)
    assert left(site) == set()


async def test_without_a_configuration_it_says_so(site, original):
    """The supervisor may have one that this command does not find: then it must not be missed only when it is lost."""
    manifest = site.take().manifest
    assert "greenroom.yaml" not in manifest.members
    assert any(one.startswith("a configuration: no file was found") for one in manifest.left_out)


async def test_configuration_and_key_files_are_in_it_and_one_that_cannot_be_read_is_named(site, original):
    config, key = site.folder / "original" / os.fsdecode(b"m\xffne.yaml"), site.folder / "original" / "hook key"
    config.write_text("# mine\nnotify: {}\n")
    key.write_text("whsec_abc\n")
    targets = {
        "ops.eu": NotificationTarget(url="https://example.org/hook", secret_file=key),
        "gone": NotificationTarget(url="https://example.org/hook", secret_file=site.folder / "gone"),
    }
    settings = attrs.evolve(original, config_file=config, notify=NotifyOptions(targets=targets))
    taken = take(settings, site.file)
    members = members_of(site.file)
    assert members["greenroom.yaml"] == config.read_bytes()
    assert "a configuration" not in str(taken.manifest.left_out)
    assert members["keys/1-hook_key"] == b"whsec_abc\n"
    assert taken.manifest.members["keys/1-hook_key"].setting == "notify.targets.ops.eu.secret_file"
    (note,) = taken.notes
    assert "notify.targets.gone.secret_file" in note


@pytest.mark.parametrize("when", ["mkdtemp", "flock"])
def test_a_folder_that_another_backup_took_for_a_left_one_is_made_anew(tmp_path, monkeypatch, when):
    """Until a backup has locked its folder, another one in the same directory removes it."""
    made, module = [], output.tempfile if when == "mkdtemp" else output.fcntl
    really, mkdtemp = getattr(module, when), output.tempfile.mkdtemp

    def noted(**named):
        made.append(mkdtemp(**named))
        return made[-1]

    def removed_once(*arguments, **named):
        result = noted(**named) if when == "mkdtemp" else really(*arguments)
        if len(made) == 1:
            Path(made[0]).rmdir()
        return result

    monkeypatch.setattr(output.tempfile, "mkdtemp", noted)
    monkeypatch.setattr(module, when, removed_once)
    with output.working_folder(tmp_path / "b.zip") as folder:
        assert folder.is_dir()
        assert made[0] != str(folder) == made[1]
    assert list(tmp_path.iterdir()) == []
