"""The provider `local`: runs each job as a process on this machine, under a shim that outlives the supervisor.

    provider = LocalProvider(LocalOptions(cpus=8), state / "local")
    submitted = await provider.submit(key, token, provider.prepare(request), {"job_id": ..., "correlation_id": ...})
    await provider.watch(nudge)                    # calls nudge(key) whenever a job should be looked at

All that is known about a job is in the files of its directory (:mod:`.directory`). :mod:`.liveness` finds out from them
whether the job is alive. :mod:`.shim` says what is true after any of these processes was killed.
"""

from actors.providers.local.options import LocalOptions
from actors.providers.local.provider import LocalProvider

__all__ = ["LocalOptions", "LocalProvider"]
