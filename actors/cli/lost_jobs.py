"""What ``doctor`` says of jobs whose shim was killed: what proves here that nothing of such a job runs."""

from __future__ import annotations

import sys

from actors.cli.client import Client
from actors.cli.context import Failed

_DELEGATE = "run it with Delegate=yes (systemd), so that each job has a control group and a restart changes nothing"
_WORDS = {
    "cgroup": ("each job has a control group: the kernel tells when nothing of it runs", ""),
    "subreaper": (
        "the supervisor receives what a killed shim leaves; after a restart of it such a job is uncertain",
        _DELEGATE,
    ),
    "none": (
        "nothing proves that nothing of it runs: it stays uncertain and keeps its devices until it is settled",
        f"use greenroom run instead of an embedded runtime, or {_DELEGATE}",
    ),
}


def lost_jobs(config: str | None, running: bool) -> tuple[str, str] | None:
    """What holds, and what would be better. ``running``: a supervisor is there to be asked. None: no local jobs."""
    if sys.platform != "linux":
        return None
    if running:
        try:
            providers = Client(config).ask("GET", "api", "providers")["providers"]
        except Failed:  # told elsewhere
            return None
        proofs = {one["capabilities"].get("lost_job_proof") for one in providers}
        return next((words for proof, words in _WORDS.items() if proof in proofs), None)
    from actors.providers.local.cgroups import cgroup_parent

    return _WORDS["subreaper" if cgroup_parent() is None else "cgroup"]
