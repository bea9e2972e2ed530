"""A restored job whose provider cannot be asked yet is asked about again, and its lines say so (F3)."""

from __future__ import annotations

import logging
from itertools import pairwise

import trio
from outcome import Error

from actors.providers.scripted.faults import Fault, FaultKind
from actors.store import StoreUnavailable
from actors.testing import request
from logconf import bind_correlation_id
from logconf.testing import capture_logs
from tests.backup.look_ups import LONG, ONE, looked_up


async def restored_while_it_waited(site):
    """A job that waited behind another one when the backup was made, and is restored."""
    async with site.open(site.original, limits=ONE) as runtime:
        await runtime.submit(request(duration=LONG))
        waiting = await runtime.submit(request(duration=10))
        await trio.sleep(1)
        site.take()
    await site.restore()
    return waiting


async def test_a_job_that_cannot_be_looked_up_yet_is_asked_about_again_every_five_seconds(autojump_clock, site):
    waiting = await restored_while_it_waited(site)
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=3))
    async with site.open(site.new) as runtime:
        await looked_up(runtime)
        asked = sorted({call.at for call in site.remote.calls_of("find") if call.keys[0].startswith(waiting.job_id)})
        assert {(later - earlier).total_seconds() for earlier, later in pairwise(asked)} == {5.0}


async def test_a_job_whose_verdict_could_not_be_written_is_looked_up_again(autojump_clock, site, monkeypatch):
    waiting = await restored_while_it_waited(site)
    site.remote.inject(Fault(FaultKind.REFUSED, ("find",), times=2))
    async with site.open(site.new) as runtime:
        real, failed = runtime.ledger.write_each, []

        async def unable(verbs):
            if failed:
                return await real(verbs)
            failed.append(verbs)
            return [Error(StoreUnavailable("the disk is full")) for _ in verbs]

        monkeypatch.setattr(runtime.ledger, "write_each", unable)
        with trio.fail_after(120):
            await looked_up(runtime)
        assert failed
        assert (await runtime.jobs.get(waiting.job_id)).entry.restored is None


async def test_the_line_of_a_job_that_cannot_be_looked_up_yet_has_its_correlation_id(autojump_clock, site):
    async with site.open(site.original, limits=ONE) as runtime:
        with bind_correlation_id("trail-of-ana-7"):
            waiting = await runtime.submit(request(duration=10))
        site.take()
    await site.restore()
    site.remote.inject(Fault(FaultKind.DOWN, ("find", "observe"), times=None))
    with capture_logs(logging.DEBUG) as lines:
        async with site.open(site.new):
            await trio.sleep(60)
    told = [line for line in lines if line["message"].startswith("Restored job cannot be looked up yet")]
    assert {(line["extra"]["job_id"], line["correlation_id"]) for line in told} == {(waiting.job_id, "trail-of-ana-7")}
