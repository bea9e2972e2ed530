"""Looks restored jobs up at their provider: each once, before anything else is done about them (F3).

If the provider cannot be asked, nothing is decided: the job keeps its mark and is asked about again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import trio

from actors.jobs.look_ups import MOST_KEYS, LookUpVerdict, Seen, ToLookUp, conclude, why_records_are_incomplete
from actors.jobs.records import Observation, Phase
from actors.jobs.retry import FailureKind
from actors.kernel import Clock
from actors.ledger import Ledger
from actors.ledger.look_ups import record_look_up, to_look_up
from actors.providers.base import UNKNOWABLE, Idempotency, Submitted
from actors.providers.guard import Failure, GuardedProvider
from actors.store import restored
from logconf import bind_correlation_id, get_logger

_logger = get_logger("actors.poller")
_TOGETHER = 100
"""Jobs whose verdicts are recorded in one transaction."""


class LookUps:
    """The restored jobs of one ``provider``. ``kept_days``: after which ended jobs are removed there, 0: never.

    ``left``: the ids of those that are still to be looked up; None before the first look.
    """

    def __init__(self, provider: GuardedProvider, ledger: Ledger, clock: Clock, kept_days: float) -> None:
        self._provider = provider
        self._ledger = ledger
        self._clock = clock
        self._kept_days = kept_days
        self.left: frozenset[str] | None = None

    async def run(self) -> None:
        """Look up those that are left. A restore is made while no runtime runs, so none are added meanwhile."""
        if self.left is not None and not self.left:
            return
        found = await self._ledger.read(to_look_up, self._provider.name)
        restore = await self._ledger.read(restored.last) if found else None
        if restore is None:
            self.left = frozenset()
            return
        since = await self._provider.records_since()
        if isinstance(since, Failure):
            self.left = frozenset(one.job.job_id for one in found)
            _logger.debug(
                "Restored jobs cannot be looked up yet: %s", since.message, extra={"provider": self._provider.name}
            )
            return
        unsure = why_records_are_incomplete(
            self._provider.name, since, restore.began_at, self._clock.now(), self._kept_days
        )
        left: set[str] = set()
        for start in range(0, len(found), _TOGETHER):
            left |= await self._look_up_all(found[start : start + _TOGETHER], unsure)
        self.left = frozenset(left)

    async def _look_up_all(self, some: Sequence[ToLookUp], unsure: str | None) -> set[str]:
        """Look these up, a few at once, and record what follows, together; the ids of those that are left."""
        verdicts: dict[str, LookUpVerdict] = {}
        waiting = iter(some)

        async def work() -> None:
            for one in waiting:
                with bind_correlation_id(one.job.correlation_id):
                    verdict = await self._look_up(one, unsure)
                    if isinstance(verdict, Failure):
                        extra = {"job_id": one.job.job_id, "provider": self._provider.name}
                        _logger.debug("Restored job cannot be looked up yet: %s", verdict.message, extra=extra)
                        continue
                verdicts[one.job.job_id] = verdict

        async with trio.open_nursery() as nursery:
            for _ in range(min(self._provider.capabilities.concurrent_calls, len(some))):
                nursery.start_soon(work)
        sources = self._ledger.sources
        record = partial(record_look_up, token=sources.token, jitter=sources.jitter)
        verbs = [partial(record, job_id=job_id, verdict=verdict) for job_id, verdict in verdicts.items()]
        for outcome in await self._ledger.write_each(verbs) if verbs else ():
            outcome.unwrap()
        return {one.job.job_id for one in some} - verdicts.keys()

    async def _look_up(self, one: ToLookUp, unsure: str | None) -> LookUpVerdict | Failure:
        """Ask about every key that the job may have had: what follows, or the failure of a call."""
        keys, seen, lost = one.keys(), list[Seen](), None
        if len(keys) > MOST_KEYS:
            unsure = f"it may have had more than {MOST_KEYS} attempts"
        if one.was_handed:
            held = await self._observe(one)
            if isinstance(held, Failure):
                return held
            lost = held if isinstance(held, str) else None
            seen += [held] if isinstance(held, Seen) else []
            keys = keys[1:]
        answer = await self._find_each(one, keys[:MOST_KEYS], seen)
        if isinstance(answer, Failure):
            return answer
        return conclude(one, seen, answer or unsure, self._clock.now(), lost)

    async def _observe(self, one: ToLookUp) -> Seen | str | Failure:
        """The attempt that the provider had accepted when the backup was made, or why it is not known any more."""
        assert one.submission is not None
        key, handle = one.submission.key, one.submission.handle or {}
        view = await self._provider.observe_many({key: handle})
        if isinstance(view, Failure):
            return view
        if (reason := view.failed.get(key)) is not None:
            return Failure(FailureKind.OTHER, reason)
        observation = view.observations.get(key)
        if observation is None:
            name = self._provider.name
            return f"provider {name} no longer has it: it was removed after the backup, or its directory is missing"
        if observation.phase is Phase.LOST and not observation.proven_dead:
            return observation.error or f"provider {self._provider.name} has lost it"
        return _seen(key, handle, observation)

    async def _find_each(self, one: ToLookUp, keys: Sequence[str], seen: list[Seen]) -> str | Failure | None:
        """Add to ``seen`` what the provider has under ``keys``; why it may have more, None: it has not."""
        unsure, name = None, self._provider.name
        by_key = self._provider.capabilities.submit_idempotency is Idempotency.CLIENT_ID
        may_have_run = f"provider {name} cannot look a job up by its key, and it may have run since the backup was made"
        own = None if one.submission is None else one.submission.key
        for key in keys:
            if seen and seen[-1].goes_on:
                break
            if key != own and not by_key:
                return may_have_run
            token = one.submission.token if one.submission is not None and key == own else ""
            found = await self._provider.find(key, token)
            if isinstance(found, Failure):
                return found
            if isinstance(found, Submitted):
                attempt = _seen(key, found.handle, found.observation)
                if isinstance(attempt, Failure):
                    return attempt
                seen.append(attempt)
            elif found is UNKNOWABLE:
                unsure = f"provider {name} cannot tell whether it has run since the backup was made"
            elif not by_key:  # submitted again under the same key, it had another token
                return may_have_run
        return unsure


def _seen(key: str, handle: Mapping[str, Any], observation: Observation | None) -> Seen | Failure:
    """The attempt that the provider has. A status that nobody knows does not say whether another came after it."""
    if observation is not None and observation.phase is Phase.UNKNOWN:
        return Failure(FailureKind.OTHER, f"its status {observation.raw_status!r} is not known")
    return Seen(key, handle, observation)
