"""A database in a place that cannot be written is read all the same, whole, and nothing is written there."""

from __future__ import annotations

import shutil
import sqlite3

import attrs
import pytest

from actors.cli.offline import open_reading
from actors.kernel import VirtualClock
from actors.settings import Settings
from actors.store import InlineExecutor, Store, StoreUnavailable, read_only
from actors.store.file_system import network_kind
from actors.store.integrity import faults
from actors.store.read_only import viewed


@pytest.fixture
def cannot_write(monkeypatch):
    """As on a disk that is mounted read-only; the real one is in tests/cli/test_read_only.py."""
    monkeypatch.setattr(read_only, "is_read_only", lambda _database: True)


@pytest.fixture
async def database(tmp_path):
    """One of today's schema, closed in order."""
    folder = tmp_path / "state"
    folder.mkdir()
    store = Store(folder / "greenroom.db", executor=InlineExecutor(), now=VirtualClock().now)
    await store.open()
    await store.aclose()
    return folder / "greenroom.db"


def killed(database):
    """A counter that stands in the log alone, as after a kill."""
    live = database.with_name("live.db")
    shutil.copy(database, live)
    connection = sqlite3.connect(live, isolation_level=None)
    connection.execute("UPDATE counters SET value = 41")
    shutil.copy(live.with_name("live.db-wal"), database.with_name("greenroom.db-wal"))
    connection.close()
    live.unlink()


def counted(view):
    connection = sqlite3.connect(view.uri, uri=True)
    try:
        return connection.execute("SELECT value FROM counters").fetchone()[0]
    finally:
        connection.close()


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def test_without_a_log_it_is_read_in_its_place(database):
    with viewed(database) as view:
        assert (view.database, view.immutable, counted(view)) == (database, True, 0)


async def test_with_frames_in_the_log_a_copy_of_both_is_read(database):
    killed(database)
    before = content(database.parent)
    with viewed(database) as view:
        assert (view.immutable, counted(view)) == (False, 41)
    assert content(database.parent) == before
    assert not view.folder.exists()


async def test_an_older_schema_is_read_from_a_copy_that_is_migrated(old_state, cannot_write):
    before = content(old_state.path)
    said = []
    async with open_reading(Settings.default(state_dir=old_state.path), said.append) as reading:
        assert (await reading.jobs.get(old_state.job_id("completed"))).job.exit_code == 0
        assert len(await reading.jobs.page()) == len(old_state.expected["jobs"])
        assert len(await reading.approvals.page()) == 5
        assert (await reading.queue.view()).waiting
        log = [data async for data, _ in reading.log_reader.read(old_state.job_id("completed"))]
        assert b"".join(log) == b"working\n"
    assert said == [f"{old_state.path} is read-only; this is read from a copy"]
    assert content(old_state.path) == before


async def test_what_was_closed_in_order_is_read_without_a_copy(database, cannot_write):
    before = content(database.parent)
    said = []
    settings = attrs.evolve(Settings.default(state_dir=database.parent))
    async with open_reading(settings, said.append) as reading:
        assert await reading.jobs.page() == []
        assert list((await reading.queue.view()).waiting) == []
    assert said == [f"{database.parent} is read-only"]
    assert content(database.parent) == before


async def test_the_look_of_doctor_reads_it_too(database, cannot_write):
    assert faults(database) == []
    killed(database)
    assert faults(database) == []


async def test_a_database_that_somebody_else_writes_meanwhile_is_not_read_half(database, monkeypatch):
    killed(database)
    states = iter(range(100))
    monkeypatch.setattr(read_only, "_state", lambda _database: next(states))
    with pytest.raises(StoreUnavailable, match="somebody else writes it"), viewed(database):
        pass


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/ana/scratch rw,relatime - xfs /dev/sdb1 rw
32 22 0:42 / /mnt/my\\040share rw - cifs //server/share rw
33 22 0:43 / /data rw master:3 - lustre 10.0.0.1@tcp:/data rw
34 33 0:44 / /data rw - ext4 /dev/sdc1 rw
a line that means nothing
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/greenroom", None),
        ("/home/ana/.greenroom", "nfs4"),
        ("/homestead/greenroom", None),
        ("/home/ana/scratch/greenroom", None),
        ("/mnt/my share/greenroom", "cifs"),
        ("/data/greenroom", None),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount_and_of_two_the_later(tmp_path, path, kind):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    found = network_kind(type(tmp_path)(path), mounts)
    assert found == kind


def test_without_a_list_of_mounts_nothing_is_said(tmp_path):
    assert network_kind(tmp_path, tmp_path / "none") is None
