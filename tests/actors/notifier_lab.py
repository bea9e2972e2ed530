"""A runtime whose notifications are received, in virtual time."""

from __future__ import annotations

from contextlib import asynccontextmanager

import attrs
import trio

from actors.jobs.notifications import Outcome
from actors.jobs.notify_options import NotificationTarget, NotifyOptions
from actors.jobs.options import ApprovalOptions
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, open_runtime
from actors.store import notifications as rows
from actors.testing import request, seeded_sources, virtual_settings
from tests.notification_fixtures import Targets

CHAT = NotificationTarget(url="https://chat.example/hook")
EVERYTHING = NotificationTarget(
    url="https://all.example/",
    on=("started", "completed", "failed", "cancelled", "approval_requested", "approval_decided", "uncertain", "rerun"),
)
DOWN = Outcome("answered 503")


@attrs.define
class Lab:
    """A clock, a remote and targets that outlive runtimes, and what is configured."""

    clock: VirtualClock
    remote: ScriptedRemote
    targets: Targets
    notify: NotifyOptions = attrs.field(factory=lambda: NotifyOptions({"chat": CHAT, "all": EVERYTHING, "other": CHAT}))

    @asynccontextmanager
    async def open(self, engine=None):
        provider = ScriptedProvider(ScriptedOptions(), self.remote)
        parts = Parts(
            clock=self.clock, in_memory=True, sources=seeded_sources(1), providers=[provider], engine=engine,
            sender=self.targets.open,
        )  # fmt: skip
        settings = attrs.evolve(virtual_settings(approvals=ApprovalOptions()), notify=self.notify)
        with trio.fail_after(30 * 86_400):  # in virtual time: what never comes must not be waited for without end
            async with open_runtime(settings, parts) as runtime:
                yield runtime


async def ended(runtime, **fields):
    """A job that has ended, and whose notification had a moment."""
    job = await runtime.submit(request(**fields))
    job = await runtime.wait(job.job_id)
    await trio.sleep(1)
    return job


async def row_of(runtime, job_id):
    (found,) = await runtime.ledger.read(rows.of_job, job_id, 10)
    return found
