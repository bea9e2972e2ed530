"""Jobs of which nobody can tell whether they still run: what proves their end, and who waits for a person's word."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, runtime_checkable


class LostJobProof(StrEnum):
    """What proves that nothing of a job runs any more whose keeper on this machine was killed (B13, B17)."""

    CGROUP = "cgroup"  # each job has a control group of its own
    SUBREAPER = "subreaper"  # the supervisor receives what is left behind, for as long as it is not restarted
    NONE = "none"  # nothing: such a job is uncertain until a person settles it


@runtime_checkable
class TakesVerdicts(Protocol):
    """A provider that keeps something for an uncertain job, devices for example, until a person decides."""

    async def settled(self, key: str) -> None:
        """A person says that nothing of the job runs any more. Idempotent."""
        ...
