"""Where a backup was made, no supervisor may run while it is restored, nor afterwards: both would run the same jobs."""

from __future__ import annotations

import errno
import os
import shutil
from functools import partial

import pytest
import trio

from actors.backup import restoring, taking
from actors.backup.errors import BackupError
from actors.backup.restoring import restore
from actors.store.state_directory import StateDirectory
from actors.testing import request


async def restored(site, file=None, into=None, **options):
    """In a thread, since it runs trio itself."""
    made = partial(restore, file or site.file, into or site.new, now=site.clock.now(), **options)
    return await trio.to_thread.run_sync(made)


@pytest.fixture
async def site(site, monkeypatch):
    """With a backup of a runtime; this machine has a name, whatever machine it is."""
    for module in (restoring, taking):
        monkeypatch.setattr(module, "machine", lambda: "this machine")
    async with site.open(site.original) as runtime:
        await runtime.submit(request(duration=10_000))
        site.take()
    return site


async def test_an_original_that_runs_is_refused_whatever_one_says(site):
    for options in ({}, {"original_stopped": True}):
        with StateDirectory(site.original), pytest.raises(BackupError, match=r"original is held by the supervisor"):
            await restored(site, **options)
        assert not (site.new / "greenroom.db").exists()


async def test_an_original_that_cannot_be_seen_needs_a_word(site):
    await trio.to_thread.run_sync(partial(shutil.move, site.original, site.folder / "moved"))
    with pytest.raises(BackupError, match="cannot see whether a supervisor runs where the backup was made"):
        await restored(site)
    await restored(site, original_stopped=True)


async def test_another_runtime_at_the_path_of_the_original_is_not_the_original(site):
    shutil.rmtree(site.original)
    async with site.open(site.original) as other:
        await other.queue.is_idle()
    with pytest.raises(BackupError, match="cannot see whether"):
        await restored(site)


async def test_an_original_that_was_restored_in_place_since_is_still_the_original(site):
    """It has another id, and runs the jobs of the backup all the same."""
    for path in site.original.glob("greenroom.db*"):
        path.unlink()
    await restored(site, into=site.original)
    with StateDirectory(site.original), pytest.raises(BackupError, match=r"original is held by the supervisor"):
        await restored(site, original_stopped=True)
    await restored(site)


async def test_an_original_of_another_user_is_one_that_cannot_be_seen(site, monkeypatch):
    for name in ("stat", "lstat", "open", "access"):
        monkeypatch.setattr(os, name, hiding(getattr(os, name), site.original, error=name != "access"))
    with pytest.raises(BackupError, match="cannot see whether a supervisor runs"):
        await restored(site)
    assert (await restored(site, original_stopped=True)).original_providers is None


def hiding(call, place, *, error):
    """Let ``call`` refuse all that lies in ``place``."""

    def refusing(path, *args, **named):
        if str(path).startswith(str(place)):
            if not error:
                return False
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return call(path, *args, **named)

    return refusing


async def test_an_original_that_is_started_again_is_reported(autojump_clock, site):
    await restored(site)
    async with site.open(site.new) as runtime:
        assert (await runtime.restore.view()).original_held_by is None
        with StateDirectory(site.original):
            assert "the supervisor with pid" in (await runtime.restore.view()).original_held_by
