"""A restore makes a runtime of its own: new id, paused queue, no sessions or old notifications; it replaces nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from functools import partial

import attrs
import pytest
import trio
import yaml

from actors.backup import restoring
from actors.backup.errors import BackupError
from actors.backup.restoring import restore
from actors.backup.taking import take
from actors.jobs.notify_options import NotificationTarget, NotifyOptions
from actors.jobs.options import Limits
from actors.jobs.records import Submission, SubmissionState
from actors.settings import Settings
from actors.store import deaths, holds, submissions
from actors.store.state_directory import StateDirectory
from actors.testing import request
from tests.notification_fixtures import Targets


async def restored(site, file=None, into=None, **options):
    """In a thread, since it runs trio itself."""
    made = partial(restore, file or site.file, into or site.new, now=site.clock.now(), **options)
    return await trio.to_thread.run_sync(made)


@pytest.fixture
async def site(site, monkeypatch):
    """With a backup of a runtime; this machine has a name, whatever machine it is."""
    for module in (restoring, __import__("actors.backup.taking", fromlist=["machine"])):
        monkeypatch.setattr(module, "machine", lambda: "this machine")
    async with site.open(site.original) as runtime:
        await runtime.submit(request(duration=10_000))
        site.take()
    return site


async def test_a_restored_runtime_has_an_id_of_its_own_and_a_paused_queue(autojump_clock, site):
    made = await restored(site)
    async with site.open(site.new) as runtime:
        view = await runtime.restore.view()
        assert view.instance_id == made.instance_id != made.manifest.instance_id
        assert (view.restored.began_at, view.restored.original) == (made.manifest.began_at, str(site.original))
        assert "restored from a backup of" in (await runtime.queue.view()).paused
        events = await runtime.event_reader.past_events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert "restored" in {event.type for event in events}
        await runtime.queue.resume(None, by="root")
        assert (await runtime.queue.view()).paused is None
    async with site.open(site.new) as runtime:
        assert (await runtime.restore.view()).instance_id == made.instance_id


async def test_a_pause_of_the_queue_that_was_in_the_backup_is_one_pause(autojump_clock, site):
    async with site.open(site.original) as runtime:
        await runtime.queue.pause(None, "maintenance", by="root")
        site.take()
    await restored(site)
    async with site.open(site.new) as runtime:
        assert "restored from a backup" in (await runtime.queue.view()).paused
        await runtime.queue.resume(None, by="root")
        assert (await runtime.queue.view()).paused is None


async def test_tokens_stay_and_are_listed_and_sessions_end(autojump_clock, site):
    async with site.open(site.original) as runtime:
        _, secret = await runtime.access.create_token(user_id="ana", level="researcher", name="laptop", by="root")
        revoked, _ = await runtime.access.create_token(user_id="bo", level="researcher", by="root")
        await runtime.access.revoke(revoked.token_id, by="root")
        signed_in = await runtime.access.sign_in_with_token(secret, timedelta(days=1))
        site.take()
    made = await restored(site)
    assert [(one.name, one.user_id) for one in made.begun.tokens] == [("laptop", "ana")]
    assert made.begun.sessions == 1
    async with site.open(site.new) as runtime:
        assert (await runtime.access.token_peer(secret)).name == "ana"
        assert await runtime.access.session_peer(signed_in.secret) is None


async def test_notifications_of_before_are_not_sent(autojump_clock, site):
    notify = NotifyOptions(
        targets={"ops": NotificationTarget(url="https://example.org/hook")}, defaults={"ana": ("ops",)}
    )

    targets = Targets(seconds={"ops": 1_000.0})
    async with site.open(site.original, notify=notify, targets=targets) as runtime:
        job = await runtime.submit(request(duration=1, requires_approval="why"))
        site.take()
    made = await restored(site)
    assert made.begun.notifications == 1
    async with site.open(site.new, notify=notify, targets=targets) as runtime:
        await trio.sleep(2_000)
        (one,) = (await runtime.jobs.get(job.job_id)).notifications
        assert (one.state, one.last_error) == ("given_up", "not sent: restored")
    assert targets.received == []


async def test_a_restore_of_an_old_backup_removes_nothing_by_its_age(autojump_clock, site):
    """The newest event is that of the restore, so that the start itself sees no old one (C6)."""
    site.clock.suspend(timedelta(days=100))
    await restored(site)
    async with site.open(site.new) as runtime:
        hold = await runtime.ledger.read(holds.current)
    assert hold.reason == "at the start the newest event was 100 days old"


async def test_a_directory_in_use_is_refused_naming_the_pid(site):
    with (
        StateDirectory(site.new),
        pytest.raises(BackupError, match=r"new is held by the supervisor with pid \d+.*stop it"),
    ):
        await restored(site, original_stopped=True)


async def test_a_name_that_leads_in_a_circle_is_refused(site):
    site.new.symlink_to(site.new)
    with pytest.raises(BackupError, match="cannot use"):
        await restored(site)


async def test_a_file_that_other_programs_share_becomes_one_of_ours_that_can_be_read(site):
    """A section of another program may be nearly one of ours, which is a fault in a file of our own."""
    config = site.folder / "simpletuner-enterprise.yaml"
    config.write_text("limit: {gpu: 3}\nlimits: {total: 7}\nworkers: [1]\n")
    settings = attrs.evolve(Settings.load(config, environ={}, home=site.folder), state_dir=site.original)
    take(settings, site.file, force=True)
    made = await restored(site)
    assert Settings.load(made.configuration, environ={}, home=site.folder).limits.total == 7
    assert yaml.safe_load(made.configuration.read_text()) == {"state_dir": ".", "limits": {"total": 7}, "workers": [1]}


async def test_a_database_or_configuration_that_is_there_is_never_replaced(site):
    with pytest.raises(BackupError, match=r"has a database already: move greenroom.db away"):
        await restored(site, into=site.original)
    site.new.mkdir(mode=0o700)
    (site.new / "greenroom.yaml").write_text("http: {port: 1}\n")
    with pytest.raises(BackupError, match=r"greenroom.yaml exists already, and is another one"):
        await restored(site)
    assert {path.name for path in site.new.iterdir()} == {"greenroom.yaml", "supervisor.lock"}


async def test_it_can_be_restored_where_it_was_once_the_old_database_is_away(autojump_clock, site):
    for path in site.original.glob("greenroom.db*"):
        path.rename(site.folder / path.name)
    made = await restored(site, into=site.original)
    assert made.original_providers is None
    async with site.open(site.original) as runtime:
        assert (await runtime.restore.view()).restored is not None


async def test_a_directory_that_cannot_be_written_or_holds_a_file_is_refused(site):
    site.new.touch()
    with pytest.raises(BackupError, match="cannot use the state directory"):
        await restored(site)


async def test_a_full_disk_leaves_no_database_and_the_next_restore_succeeds(site, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(restoring, "sync", full)
        with pytest.raises(BackupError, match=r"cannot write to .*No space left on device"):
            await restored(site)
    assert {path.name for path in site.new.iterdir()} <= {"supervisor.lock", "greenroom.yaml"}
    await restored(site)


async def test_a_job_whose_row_is_damaged_does_not_start_either(autojump_clock, site):
    async with site.open(site.original, limits=Limits(total=1)) as runtime:
        await runtime.submit(request(duration=10))
        waiting = await runtime.submit(request(duration=10))
    database = site.original / "greenroom.db"
    with closing(sqlite3.connect(database)) as rows:
        (whole,) = rows.execute("SELECT request FROM jobs WHERE job_id = ?", (waiting.job_id,)).fetchone()
        rows.execute("UPDATE jobs SET request = '[]' WHERE job_id = ?", (waiting.job_id,))
        rows.commit()
    site.take()
    await restored(site)
    with closing(sqlite3.connect(site.new / "greenroom.db")) as rows:
        rows.execute("UPDATE jobs SET request = ? WHERE job_id = ?", (whole, waiting.job_id))
        rows.commit()
        query = "SELECT restored, lane_id FROM queue_entries WHERE job_id = ?"
        assert rows.execute(query, (waiting.job_id,)).fetchone() == ("look_up", None)


async def test_configuration_and_keys_are_those_of_the_new_directory(site):
    config, key = site.folder / "mine.yaml", site.folder / "key"
    key.write_text("whsec_abc\n")
    config.write_text(
        f"# ours\nstate_dir: {site.original}\nproviders: {{local: {{enabled: false}}}}\n"
        f"notify:\n  targets:\n    ops.eu: {{url: 'https://example.org', secret_file: {key}}}\n"
    )
    settings = Settings.load(config, environ={"HOME": str(site.folder)}, home=site.folder)
    (site.original / "token").write_text("gr_secret\n")
    take(settings, site.file, force=True)
    made = await restored(site)
    assert (site.new / "token").read_text() == "gr_secret\n"
    assert made.configuration == site.new / "greenroom.yaml"
    assert made.configuration.read_text().startswith("# ours\n")
    new = Settings.load(made.configuration, environ={}, home=site.folder)
    assert new.state_dir == site.new
    secret = new.notify.targets["ops.eu"].secret_file
    assert secret.parent == site.new / "keys"
    assert secret.read_text() == "whsec_abc\n"
    for path in (made.configuration, secret, site.new / "token", site.new / "greenroom.db"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_without_a_configuration_the_new_one_names_the_directory(site):
    made = await restored(site)
    assert yaml.safe_load(made.configuration.read_text()) == {"state_dir": "."}
    assert attrs.evolve(Settings.load(made.configuration, environ={})).state_dir == site.new


async def test_what_a_killed_restore_left_does_not_hinder_the_next_one(site):
    made = await restored(site)
    (site.new / "greenroom.db").rename(site.folder / "as it was")
    (site.new / ".greenroom-restore").mkdir()
    (site.new / ".greenroom-restore" / "greenroom.db").write_bytes(b"half")
    again = await restored(site)
    assert again.jobs == made.jobs
    assert not (site.new / ".greenroom-restore").exists()


async def test_a_job_that_was_being_handed_over_when_the_backup_was_made_is_not_blamed_for_it(autojump_clock, site):
    """Nothing died of it: others need not wait until it was handed over alone."""

    def handing_over(tx):
        deaths.blame(tx.connection, [job.job_id])
        submissions.put(tx.connection, [Submission(job.job_id, "key", "token", SubmissionState.INTENT, tx.now)])

    async with site.open(site.original, limits=Limits(total=0)) as runtime:
        job = await runtime.submit(request(duration=10))
        await runtime.ledger.write(handing_over)
        site.take()
        assert await runtime.ledger.read(deaths.counts) == {job.job_id: 1}
    await restored(site, original_stopped=True)
    async with site.open(site.new, limits=Limits(total=0)) as runtime:
        assert await runtime.ledger.read(deaths.counts) == {}
        assert (await runtime.ledger.read(submissions.by_key, "key")).state is SubmissionState.UNKNOWN
