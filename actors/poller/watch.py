"""One provider's watch: settles, cancels and observes what it holds, one round at a time.

Each provider has a watch of its own, so that one which fails or hangs delays no other. A round is asked for by the
beat, by an event or by the provider's own nudge; requests that come during a round are answered by the next one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

import attrs
import trio

from actors.jobs.polling import judge
from actors.jobs.records import Observation, SubmissionState
from actors.kernel import Clock
from actors.ledger import Ledger
from actors.ledger.observing import Recorded, denied
from actors.ledger.reading import Held, held_at
from actors.providers.base import ABSENT, UNKNOWABLE, CancelAck, Submitted
from actors.providers.guard import Failure, GuardedProvider
from logconf import bind_correlation_id, get_correlation_id, get_logger

_logger = get_logger("actors.poller")

# A cancel request is repeated until an observation shows an end: after 1 s, then twice as long each time, to a minute.
_CANCEL_AGAIN = 1.0
_CANCEL_AGAIN_AT_MOST = 60.0

# An unknown submission that its provider could not be asked about is asked about again after this long.
_ASK_AGAIN = 5.0


@attrs.define
class Round:
    """What a round is to look at: everything, or the jobs of some keys.

    ``observe``: ask for statuses, too; else only of jobs silent for ``silent_for`` seconds (0: of none).
    """

    everything: bool = False
    observe: bool = False
    silent_for: float = 0.0
    keys: set[str] = attrs.field(factory=set)
    waiters: list[trio.Event] = attrs.field(factory=list)
    fault: Exception | None = None

    def __bool__(self) -> bool:
        return self.everything or bool(self.keys)


class Watch:
    """Watches the jobs of one ``provider``."""

    def __init__(self, provider: GuardedProvider, ledger: Ledger, clock: Clock) -> None:
        self.name = provider.name
        self.synced = 0
        self._provider = provider
        self._ledger = ledger
        self._clock = clock
        self._next = Round()
        self._wanted = trio.Event()
        self._cancels: dict[str, tuple[float, float]] = {}
        self._asked: dict[str, float] = {}
        self._again_at = math.inf

    def look(self, *, observe: bool = False, silent_for: float = 0.0) -> None:
        """Ask for a round over everything: settlements and cancels; see :class:`Round` for the statuses."""
        self._next.everything = True
        self._next.observe |= observe
        self._next.silent_for = max(self._next.silent_for, silent_for)
        self._wanted.set()

    def nudge(self, key: str) -> None:
        """Ask for a look at one job."""
        self._next.keys.add(key)
        self._wanted.set()

    async def sync(self) -> None:
        """A whole round, statuses included; returns when it is through, and raises what it raised."""
        done = trio.Event()
        asked = self._next
        asked.waiters.append(done)
        self.look(observe=True)
        await done.wait()
        if asked.fault is not None:
            raise asked.fault

    async def run(self) -> None:
        """Rounds, as they are asked for, until cancelled."""
        while True:
            with trio.move_on_at(self._again_at):
                await self._wanted.wait()
            asked, self._next = self._next, Round()
            self._wanted = trio.Event()
            self._again_at = math.inf
            if not asked:
                asked.everything = True
            try:
                await self._round(asked)
            except Exception as fault:  # the cycle's border: one bad round must not end the watch over the others
                asked.fault = fault
                if not asked.waiters:
                    _logger.exception("Error in job polling", extra={"provider": self.name})
            for waiter in asked.waiters:
                waiter.set()

    async def _round(self, asked: Round) -> None:
        if asked.everything and (asked.observe or asked.silent_for):
            query = held_at(self.name)
        else:
            query = held_at(self.name, unsettled=asked.everything, keys=asked.keys)
        held = await self._ledger.read(query)
        self._cancels = {key: due for key, due in self._cancels.items() if any(one.key == key for one in held)}
        for one in held:
            if one.submission.state is SubmissionState.UNKNOWN and one.job.uncertain_since is None:
                await self._settle(one)
        handed = [one for one in held if one.submission.state is SubmissionState.HANDED]
        for one in handed:
            if one.job.cancel_requested_at is not None:
                await self._cancel(one)
        chosen = [
            one for one in handed if asked.observe or one.key in asked.keys or self._silent(one, asked.silent_for)
        ]
        self.synced = await self._observe(chosen) if chosen else 0

    # Unknown outcomes.

    async def _settle(self, one: Held) -> None:
        """Ask the provider what became of a hand-over whose answer was lost (B13)."""
        with bind_correlation_id(one.job.correlation_id):
            found = await self._provider.find(one.key, one.submission.token)
        if isinstance(found, Failure):
            self._say(one, f"could not be settled: {found.message}", logging.DEBUG)
            self._look_again(_ASK_AGAIN)
        elif isinstance(found, Submitted):
            await self._ledger.handed_over(one.key, found.handle, found.observation)
        elif found is ABSENT:
            await self._ledger.settle_absent(one.key)
        elif found is UNKNOWABLE:
            reason = f"provider {self.name} cannot tell whether it was accepted: {one.submission.error or 'no answer'}"
            await self._ledger.flag_uncertain(one.job.job_id, reason)

    # Cancels.

    async def _cancel(self, one: Held) -> None:
        """Send the cancel request, or repeat it when it is due; only an observation ends the job (B14)."""
        assert one.submission.handle is not None
        due, gap = self._cancels.get(one.key, (-math.inf, _CANCEL_AGAIN))
        if trio.current_time() < due:
            self._look_again(due - trio.current_time())
            return
        with bind_correlation_id(one.job.correlation_id):
            answer = await self._provider.cancel(one.key, one.submission.handle)
        if isinstance(answer, Failure):
            self._say(one, f"could not be cancelled yet: {answer.message}", logging.DEBUG)
        elif answer is CancelAck.NOT_SUPPORTED:
            self._say(one, f"provider {self.name} cannot cancel; the job goes on to its end", logging.WARNING)
        self._cancels[one.key] = (trio.current_time() + gap, min(gap * 2, _CANCEL_AGAIN_AT_MOST))
        self._next.keys.add(one.key)
        self._look_again(gap)

    def _look_again(self, seconds: float) -> None:
        self._again_at = min(self._again_at, trio.current_time() + seconds)

    # Statuses.

    def _silent(self, one: Held, seconds: float) -> bool:
        """Whether the safety net asks about a job: nothing was heard of it, and it was not asked about, for so long."""
        if not seconds or (self._clock.now() - one.job.updated_at).total_seconds() < seconds:
            return False
        now = trio.current_time()
        if now - self._asked.get(one.key, -math.inf) < seconds:
            return False
        self._asked = {key: at for key, at in self._asked.items() if now - at < seconds} | {one.key: now}
        return True

    async def _observe(self, held: Sequence[Held]) -> int:
        """Ask about these jobs and record what changed; how many were really read."""
        handles = {one.key: one.submission.handle or {} for one in held}
        # A request about one job carries the job's ID, one about many the cycle's (A14).
        with bind_correlation_id(held[0].job.correlation_id if len(held) == 1 else get_correlation_id()):
            view = await self._provider.observe_many(handles)
        if isinstance(view, Failure):
            _logger.warning(
                "Provider %s could not be asked: %s", self.name, view.message, extra={"provider": self.name}
            )
            return 0
        by_key = {one.key: one for one in held}
        for key, reason in view.failed.items():
            if key in by_key:
                one = by_key[key]
                with bind_correlation_id(one.job.correlation_id):
                    extra = {"job_id": one.job.job_id, "provider": self.name}
                    _logger.debug("Failed to sync job %s: %s", one.job.job_id, reason, extra=extra)
        observations = {key: seen for key, seen in view.observations.items() if key in by_key}
        observations |= self._denied(by_key, view.absent)
        await self._record(by_key, observations)
        return len(observations)

    def _denied(self, by_key: Mapping[str, Held], absent: frozenset[str]) -> dict[str, Observation]:
        reason = f"provider {self.name} no longer knows it"
        return {key: denied(reason) for key in absent if key in by_key}

    async def _record(self, by_key: Mapping[str, Held], observations: Mapping[str, Observation]) -> None:
        """Write only what is news: most observations say what is known already, and cost no transaction."""
        now = self._clock.now()
        news = {}
        for key, seen in observations.items():
            verdict = judge(by_key[key].job, by_key[key].entry_status, seen, now)
            if verdict.trigger or verdict.changes or (verdict.uncertain and by_key[key].job.uncertain_since is None):
                news[key] = seen
            elif verdict.note is not None and not verdict.uncertain:
                self._note(by_key[key], verdict.note)
        if news:
            for recorded in await self._ledger.record(news):
                self._note_recorded(recorded)

    def _note_recorded(self, recorded: Recorded) -> None:
        if recorded.note is not None:
            with bind_correlation_id(recorded.correlation_id):
                level, text = recorded.note
                _logger.log(level, text, extra={"job_id": recorded.job_id, "provider": self.name})

    def _note(self, one: Held, note: tuple[int, str]) -> None:
        self._say(one, note[1], note[0])

    def _say(self, one: Held, text: str, level: int) -> None:
        with bind_correlation_id(one.job.correlation_id):
            extra = {"job_id": one.job.job_id, "provider": self.name}
            _logger.log(level, "Job %s: %s", one.job.job_id, text, extra=extra)
