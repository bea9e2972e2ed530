"""The provider `local`: real jobs as real processes on this machine, each under a shim that outlives the supervisor.

    provider = LocalProvider(LocalOptions(cpus=8), state / "local")
    submitted = await provider.submit(key, token, provider.prepare(request), {"job_id": ..., "correlation_id": ...})
    await provider.watch(nudge)                    # calls nudge(key) whenever a job should be looked at

What is known of a job stands in the files of its directory (:mod:`.directory`), how it is known whether it lives in
:mod:`.liveness`, and what holds when anybody is killed in :mod:`.shim`.
"""

from actors.providers.local.options import LocalOptions
from actors.providers.local.provider import LocalProvider

__all__ = ["LocalOptions", "LocalProvider"]
