"""A provider to be checked, with methods that submit jobs to it, look at them and wait for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count

import attrs

from actors.jobs.records import JobRequest, Observation, Phase
from actors.providers.base import Found, Handle, Idempotency, Provider, Submitted

ENDED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELED, Phase.TIMED_OUT, Phase.LOST})


@attrs.frozen
class Harness:
    """A provider to be checked, and requests that it can run.

    ``quick_request`` ends well and soon, ``long_request`` runs until it is cancelled, and ``failing_request`` fails by
    itself. ``wrong_request`` (optional) is refused by ``prepare`` for its field ``wrong_field``. ``wait_change``
    returns when something may have changed, or a little later. ``reopen`` (optional) makes a second provider with the
    same outside, as after a restart of our process. ``unknown_handle`` is a handle that was never given. ``waits_for``:
    what a check waits for, in words.
    """

    provider: Provider
    quick_request: Callable[[], JobRequest]
    long_request: Callable[[], JobRequest]
    failing_request: Callable[[], JobRequest]
    wait_change: Callable[[], Awaitable[None]]
    wrong_request: Callable[[], JobRequest] | None = None
    wrong_field: str = ""
    reopen: Callable[[], Provider] | None = None
    unknown_handle: Handle = attrs.field(factory=dict)
    waits_for: list[str] = attrs.field(factory=list, init=False)
    _numbers: count[int] = attrs.field(factory=lambda: count(1), init=False)

    @property
    def can_tell(self) -> bool:
        """Whether the provider can recognise a submission key that it has seen before."""
        return self.provider.capabilities.submit_idempotency is not Idempotency.NONE

    async def submit(self, request: JobRequest, key: str | None = None) -> tuple[str, Submitted]:
        """Submit ``request`` under ``key`` (None: under a new key)."""
        key = key if key is not None else f"conformance-{next(self._numbers)}"
        context = {"job_id": key, "correlation_id": "conformance"}
        return key, await self.provider.submit(key, _token(key), self.provider.prepare(request), context)

    async def find(self, key: str) -> Found:
        """Look for ``key`` like Greenroom does when the answer to a submission was lost."""
        return await self.provider.find(key, _token(key))

    async def look(self, key: str, handle: Handle) -> Observation:
        """Look once at one job, which must be there."""
        view = await self.provider.observe_many({key: handle})
        assert key in view.observations, f"observe_many() must have the job {key}, which was submitted: {view}"
        return view.observations[key]

    async def reach(self, key: str, handle: Handle, phases: frozenset[Phase]) -> Observation:
        """Wait until the job is in one of ``phases``. Raises :class:`AssertionError` if it ends in another phase."""
        names = " or ".join(sorted(phase.name for phase in phases))
        while True:
            seen = await self.look(key, handle)
            self.waits_for[:] = [f"the job {key} to be {names}; it was last seen as {seen.phase.name}"]
            if seen.phase in phases:
                return seen
            assert seen.phase not in ENDED, f"the job {key} must become {names}; it ended as {seen.phase.name}: {seen}"
            await self.wait_change()

    async def end(self, request: JobRequest) -> tuple[str, Handle, Observation]:
        """Submit ``request``, and wait until its job ends."""
        key, submitted = await self.submit(request)
        return key, submitted.handle, await self.reach(key, submitted.handle, ENDED)


def _token(key: str) -> str:
    return f"token-of-{key}"
