"""The order of an upgrade from 0.1.0 as docs/backup.md has it: back up with the new version, try, go back if needed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial

import attrs
import pytest
import trio

from actors.backup.restoring import restore
from actors.backup.taking import take
from actors.kernel import VirtualClock
from actors.providers.base import Idempotency
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider
from actors.runtime import Parts, open_runtime
from actors.settings import Settings
from actors.store.revision import NEWEST
from tests.store.conftest import old_state

__all__ = ["old_state"]
LATER = timedelta(minutes=5)


def revision_of(database):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def take_before(old_state, file, now):
    """As the new version does it while the old one is stopped: the old directory is not migrated by that."""
    settings = attrs.evolve(Settings.default(state_dir=old_state.path, environ={}), providers={})
    return take(settings, file, now=now)


async def restored(file, into, now):
    return await trio.to_thread.run_sync(partial(restore, file, into, original_stopped=True, now=now))


@pytest.fixture
async def moment(old_state):
    return datetime.fromisoformat(old_state.expected["now"])


async def test_a_backup_of_the_old_directory_leaves_it_to_the_old_version(tmp_path, old_state, moment):
    taken = take_before(old_state, tmp_path / "backup.zip", moment)
    assert taken.jobs == len(old_state.expected["jobs"])
    assert taken.manifest.revision == revision_of(old_state.database) != NEWEST
    assert taken.manifest.instance_id is None


@pytest.mark.parts
async def test_what_was_restored_from_it_is_migrated_and_its_jobs_are_looked_up(tmp_path, old_state, moment):
    take_before(old_state, tmp_path / "backup.zip", moment)
    new = tmp_path / "new"
    await restored(tmp_path / "backup.zip", new, moment + LATER)
    assert revision_of(new / "greenroom.db") == NEWEST
    (new / "providers").symlink_to(old_state.path / "providers")
    clock = VirtualClock(moment + LATER - timedelta(seconds=trio.current_time()))
    providers = [
        LocalProvider(LocalOptions(), new / "providers" / "local"),
        ScriptedProvider(ScriptedOptions()),
        ScriptedProvider(ScriptedOptions(idempotency=Idempotency.NONE), name="elsewhere"),
        ScriptedProvider(ScriptedOptions(), name="slow"),
        ScriptedProvider(ScriptedOptions(), name="picky"),
    ]
    settings = Settings.default(state_dir=new, environ={})
    async with open_runtime(settings, Parts(clock=clock, providers=providers)) as runtime:
        with trio.fail_after(120):
            while (await runtime.restore.to_look_up()) != {}:  # noqa: ASYNC110 - the poller says nothing at the end
                await trio.sleep(0.1)
        expected = {one["job_id"]: one for one in old_state.expected["jobs"].values()}
        views = {job_id: await runtime.jobs.get(job_id) for job_id in expected}
        for job_id, one in expected.items():
            view = views[job_id]
            if one["entry"] in ("completed", "failed", "cancelled"):
                assert (view.job.status, view.entry.status) == (one["status"], one["entry"])
            elif view.job.provider == "local" and one["entry"] in ("pending", "blocked"):  # it surely has not run since
                assert (view.entry.status, view.job.uncertain_since) == (one["entry"], None)
            else:  # what simulated the others died with the old process
                assert view.job.uncertain_since is not None or view.job.is_terminal
        assert "restored from a backup" in (await runtime.queue.view()).paused
        assert await runtime.access.token_peer(old_state.expected["tokens"]["admin"]) is not None
        for secret in old_state.expected["sessions"].values():
            assert await runtime.access.session_peer(secret) is None


async def test_going_back_is_the_old_version_on_the_old_directory(tmp_path, old_state, moment):
    """Byte for byte what it was: nothing but the lock's file is touched by backup and restore."""
    before = {path.name: path.read_bytes() for path in old_state.path.iterdir() if path.is_file()}
    take_before(old_state, tmp_path / "backup.zip", moment)
    await restored(tmp_path / "backup.zip", tmp_path / "new", moment + LATER)
    after = {path.name: path.read_bytes() for path in old_state.path.iterdir() if path.is_file()}
    assert after["greenroom.db"] == before["greenroom.db"]
    assert after.keys() - before.keys() <= {"supervisor.lock"}
