"""What is looked up after a restore, and what ran."""

from __future__ import annotations

import trio

from actors.jobs.options import Limits
from actors.providers.base import Idempotency
from actors.providers.scripted import ScriptedOptions

NONE = ScriptedOptions(idempotency=Idempotency.NONE)
BY_TOKEN = ScriptedOptions(idempotency=Idempotency.TOKEN_SEARCH)
ONE = Limits(total=1, per_user=1)
LONG = 3_000


async def looked_up(runtime):
    """Until no job is to be looked up any more."""
    while (await runtime.restore.to_look_up()) != {}:  # noqa: ASYNC110 - in virtual time
        await trio.sleep(1)


def runs_of(site, job):
    return [run for run in site.remote.runs if run.key.startswith(job.job_id)]
