"""The poller: observes, cancels and settles submitted jobs until they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import trio

from actors.jobs.options import PollerOptions
from actors.kernel import Clock, Envelope, TickingActor
from actors.ledger import Ledger
from actors.ledger.not_configured import change_marks, marks_to_change
from actors.ledger.remarks import note_remark
from actors.poller.poll_requests import PollRequests
from actors.poller.watch import Round, Watch
from actors.providers.abilities import Remark
from actors.providers.base import Capabilities
from actors.providers.guard import GuardedProvider
from actors.store.errors import StoreError
from logconf import get_logger

# Which providers are polled on a timer (B6); a pure decision from configuration.


@attrs.frozen
class Switch:
    """The state of timed polling. ``polled``: providers polled at the interval. ``active``: whether it is on.
    ``why``: the reason.
    """

    polled: frozenset[str]
    active: bool
    why: str


def decide_polling(
    enabled: bool | None, capabilities: Mapping[str, Capabilities], webhook_urls: Mapping[str, str | None]
) -> Switch:
    """An explicit on or off wins; otherwise a remote provider is polled unless it has a ``webhook_url``.

    Providers whose ends are local events need no timed polling and do not count: if there are only those, timed polling
    counts as on and polls them as a safety net.
    """
    everything = frozenset(capabilities)
    local = frozenset(name for name, can in capabilities.items() if can.ends_are_local_events)
    if enabled is True:
        return Switch(everything, True, "switched on in the configuration")
    if enabled is False:
        return Switch(frozenset(), False, "switched off in the configuration")
    silent = frozenset(name for name in everything - local if webhook_urls.get(name))
    remote = everything - local
    if remote and remote == silent:
        return Switch(local, False, f"not needed: webhooks are configured for {', '.join(sorted(silent))}")
    return Switch(everything - silent, True, "automatic")


_logger = get_logger("actors.poller")

FAULTY_CYCLES = 5
"""This many cycles with an internal error in a row fail the poller; its supervisor restarts it."""

_WATCH_AGAIN = 5.0
"""Seconds after which a provider's own watch that failed is started again."""


LONGEST_ROUND = 15.0
"""Seconds that one provider's round may take; after a longer one health is degraded until one was shorter again."""


@attrs.frozen
class Refresh:
    """The message after a change of configuration: decide anew, by this, which providers are polled (B6)."""

    options: PollerOptions
    webhook_urls: Mapping[str, str | None]


class Poller(TickingActor):
    """Looks at the start, at a fixed interval, after an event and after a nudge; rounds of one provider never overlap.

    A cycle runs in a task of its own and leaves out a provider that still works on an earlier one: a provider that
    hangs delays neither the others nor the messages to the poller.
    """

    concurrent = True
    fault_limit = FAULTY_CYCLES

    def __init__(
        self,
        ledger: Ledger,
        providers: Mapping[str, GuardedProvider],
        clock: Clock,
        options: PollerOptions,
        webhook_urls: Mapping[str, str | None],
        jitter: Callable[[], float],
        requests: PollRequests,
        kept_days: float,
    ) -> None:
        self.interval = options.interval_seconds
        self._options = options
        self._webhook_urls = webhook_urls
        self._requests = requests
        self._providers = providers
        self._ledger = ledger
        self._watches = {
            name: Watch(provider, ledger, clock, options.interval_seconds, jitter, kept_days)
            for name, provider in providers.items()
        }
        self._faulty_cycles = 0
        self._switch = self._decide()
        self._announced: bool | None = None
        self._looked_first = False

    @property
    def is_polling_active(self) -> bool:
        """Whether timed polling is on."""
        return self._switch.active

    def _decide(self) -> Switch:
        capabilities = {name: provider.capabilities for name, provider in self._providers.items()}
        return decide_polling(self._options.enabled, capabilities, self._webhook_urls)

    async def after_ready(self) -> None:
        """One task for each provider's rounds, and one for its own events."""
        for name, watch in self._watches.items():
            self.nursery.start_soon(watch.run, name=f"watch {name}")
            self.nursery.start_soon(self._listen, self._providers[name], watch, name=f"listen {name}")
            if (remarks := self._providers[name].remarks) is not None:
                self.nursery.start_soon(self._note_remarks, remarks, name=f"remarks {name}")

    async def _listen(self, provider: GuardedProvider, watch: Watch) -> None:
        """Pass a provider's nudges on; a watch that fails is started again, because the interval alone would be
        slow.
        """
        while True:
            failure = await provider.watch(watch.nudge)
            if failure is None:
                return
            _logger.warning(
                "Provider %s stopped sending news of its jobs: %s", provider.name, failure.message,
                extra={"provider": provider.name},
            )  # fmt: skip
            await trio.sleep(_WATCH_AGAIN)

    async def _note_remarks(self, remarks: trio.MemoryReceiveChannel[Remark]) -> None:
        """Record a provider's remarks about jobs that have ended. The channel outlives this poller."""
        while True:
            remark = await remarks.receive()
            try:
                await self._ledger.write(note_remark, remark.key, remark.text)
            except StoreError as error:  # the provider has logged it
                _logger.info("A remark about a job was not kept: %s", error, extra={"submission": remark.key})

    async def handle(self, message: Any) -> Any:
        """An event or ``PollNow``: look at what was requested. ``Refresh``: decide anew who is polled."""
        if isinstance(message, Refresh):
            self._options, self._webhook_urls = message.options, message.webhook_urls
            self._switch = self._decide()
            self.wake()
            return self._switch.active
        self._pass_on()
        return None

    def _pass_on(self) -> None:
        """Give every watch what was requested of it."""
        batch = self._requests.take()
        for name, watch in self._watches.items():
            if batch.everything:
                watch.look()
            if batch.rows:
                watch.look_at_rows(batch.rows.values())
            if keys := batch.observe.get(name):
                watch.nudge(*keys)

    async def tick(self, causes: tuple[Envelope, ...]) -> None:
        """One cycle: every polled provider in parallel, the others for settlements and cancels alone."""
        self._announce()
        if not self._looked_first and (marks := await self._ledger.read(marks_to_change, self._providers.keys())):
            await self._ledger.write(change_marks, marks)
        self._pass_on()
        watches = []
        first, self._looked_first = not self._looked_first, True
        for name, watch in self._watches.items():
            if name not in self._switch.polled:
                lost = first and bool(self._webhook_urls.get(name))  # what was delivered while we were away
                watch.look(silent_for=self._options.safety_net_seconds, first=lost)
            elif not watch.syncing:
                watches.append(watch)
        self.nursery.start_soon(self.cycle, watches)

    async def cycle(self, watches: Sequence[Watch]) -> None:
        """One round of each of ``watches``, to its end."""
        rounds: list[Round] = []

        async def sync(watch: Watch) -> None:
            rounds.append(await watch.sync())

        async with trio.open_nursery() as nursery:
            for watch in watches:
                nursery.start_soon(sync, watch)
        faults = [one.fault for one in rounds if one.fault is not None]
        if faults:
            self._faulty_cycles += 1
            extra = {"faults_in_a_row": self._faulty_cycles}
            _logger.error("Error in job polling", exc_info=faults[0], extra=extra)
            if self._faulty_cycles >= FAULTY_CYCLES:
                raise faults[0]
        elif watches:
            self._faulty_cycles = 0
        for watch in self._watches.values():
            if watch.last_fault is not None and watch.faults_in_a_row >= FAULTY_CYCLES:
                raise watch.last_fault
        if self._switch.active:
            synced = sum(one.synced for one in rounds)
            _logger.debug("Synced %d active jobs", synced, extra={"synced": synced})

    @property
    def slow_providers(self) -> dict[str, float]:
        """Providers whose round takes, or took the last time, longer than :data:`LONGEST_ROUND`: for how long."""
        rounds = {name: watch.round_seconds for name, watch in self._watches.items()}
        return {name: seconds for name, seconds in rounds.items() if seconds > LONGEST_ROUND}

    def _announce(self) -> None:
        """Log once that timed polling is on or off, and again when that changes."""
        if self._switch.active == self._announced:
            return
        self._announced = self._switch.active
        details = {"interval_seconds": self.interval, "providers": sorted(self._switch.polled), "why": self._switch.why}
        if self._switch.active:
            _logger.info("Starting job status polling", extra=details)
        else:
            _logger.info("Timed status checks are off: %s", self._switch.why, extra=details)


def slow_rounds(poller: Poller | None) -> list[str]:
    """A reason for health for each provider that takes too long for the promised polling."""
    slow = {} if poller is None else poller.slow_providers
    return [
        f"provider {name} is slow: a look at its jobs took {seconds:.0f} s (limit {LONGEST_ROUND:g} s)"
        for name, seconds in slow.items()
    ]
