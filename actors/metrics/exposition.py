"""The state of a runtime as Prometheus reads it: read at each scrape, with few labels and no time series per job or
user.

Names of SimpleTuner's own exporter are kept for existing dashboards; all others begin with ``greenroom_``.
``simpletuner_jobs_total`` is a counter of this process, as a name in ``_total`` must be, and begins at 0 with each
start; the stored jobs are in ``simpletuner_jobs_by_status``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from actors.jobs.deliveries import DeliveryOutcome
from actors.jobs.records import ACTIVE_JOBS, JobStatus, QueueStatus
from actors.kernel import ActorRef, MailboxStatistics
from actors.metrics.tallies import Histogram, Tallies
from logconf import statistics
from supervision import ChildInfo

BREAKER_STATES = {"closed": 0, "half_open": 1, "open": 2}


@attrs.frozen
class State:
    """What is read at a scrape. ``counts``: as :func:`actors.ledger.queries.plain_counts` gives them.

    ``breakers``: by provider, its state and how often it has opened. ``uptime``: seconds. ``log_bytes``: how long the
    write-ahead log is.
    """

    counts: Mapping[str, Mapping[str, int]]
    children: tuple[ChildInfo, ...]
    actors: tuple[ActorRef, ...]
    dead_letters: int
    quarantined: int
    breakers: Mapping[str, tuple[str, int]]
    healthy: bool
    uptime: float
    log_bytes: int = 0


def exposed(state: State, tallies: Tallies) -> bytes:
    """The text that a scrape gets."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(state, tallies))
    return generate_latest(registry)


@attrs.frozen(eq=False)
class _Collector:
    """prometheus-client's way to ask for values that are read, not kept."""

    state: State
    tallies: Tallies

    def collect(self) -> Iterator[Metric]:
        for part in (_jobs, _whole, _actors, _times, _servers):
            yield from part(self.state, self.tallies)


def _metric(kind: Any, name: str, meaning: str, values: float | Mapping[Any, float], *labels: str) -> Metric:
    """One family of metrics: a number, or one for each value of its label, or of its ``labels`` together."""
    family = kind(name, meaning, labels=labels)
    for at, value in sorted(values.items()) if isinstance(values, Mapping) else [((), values)]:
        family.add_metric([at] if isinstance(at, str) else at, float(value))
    found: Metric = family
    return found


_gauge = partial(_metric, GaugeMetricFamily)
_counter = partial(_metric, CounterMetricFamily)


_OF_MAILBOXES: tuple[tuple[Callable[..., Metric], str, str, Callable[[MailboxStatistics], int]], ...] = (
    (_gauge, "depth", "Messages that wait.", lambda one: one.depth),
    (_gauge, "high_water", "The most that ever waited.", lambda one: one.high_water),
    (_gauge, "capacity", "Messages that may wait.", lambda one: one.capacity),
    (_counter, "taken", "Messages that were taken out.", lambda one: one.taken),
    (_counter, "coalesced", "Messages absorbed by one that waited.", lambda one: one.coalesced),
    (_counter, "dropped", "Messages lost to overflow.", lambda one: one.dropped + one.rejected),
)


def _histogram(name: str, meaning: str, histograms: Mapping[str, Histogram], *labels: str) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=labels)
    for at, one in sorted(histograms.items()):
        family.add_metric([at] if labels else [], one.cumulative(), one.sum)
    return family


def _jobs(state: State, tallies: Tallies) -> Iterator[Metric]:
    jobs, queue = state.counts["jobs"], state.counts["queue"]
    yield _counter("simpletuner_jobs", "Jobs accepted since this supervisor started.", tallies.accepted)
    by_status = {status.value: jobs.get(status.value, 0) for status in JobStatus}
    yield _gauge("simpletuner_jobs_by_status", "Jobs that are kept, by status.", by_status, "status")
    active = sum(jobs.get(status.value, 0) for status in ACTIVE_JOBS)
    yield _gauge("simpletuner_jobs_active", "Jobs that have not ended.", active)
    blocked = queue.get(QueueStatus.BLOCKED.value, 0)
    yield _gauge("simpletuner_approval_requests_pending", "Approval requests that wait for a person.", blocked)
    entries = {status.value: queue.get(status.value, 0) for status in QueueStatus if status is not QueueStatus.READY}
    yield _gauge("greenroom_queue_entries", "Queue entries that are kept, by status.", entries, "status")
    ended = {status: tallies.ended[status] for status in ("completed", "failed", "cancelled")}
    yield _counter("greenroom_jobs_ended", "Jobs that ended, by how.", ended, "status")


def _whole(state: State, tallies: Tallies) -> Iterator[Metric]:
    yield _gauge("simpletuner_uptime_seconds", "Since the supervisor became ready.", state.uptime)
    yield _gauge("greenroom_healthy", "1 when /health is ok, 0 when it is degraded.", state.healthy)
    yield _gauge("greenroom_write_ahead_log_bytes", "Length of the database's write-ahead log.", state.log_bytes)
    yield _counter("greenroom_event_loop_stalls", "Times that the event loop did not turn.", tallies.loop_stalls)
    yield _counter("greenroom_events", "Events published, by type.", tallies.events, "type")
    came = {outcome.value: tallies.deliveries[outcome] for outcome in DeliveryOutcome}
    yield _counter("greenroom_deliveries", "Webhooks that came in, by what was done about them.", came, "outcome")
    yield _gauge("greenroom_event_subscribers", "Open streams of events.", tallies.subscribers)
    yield _counter("greenroom_dead_letters", "Messages that reached nobody.", state.dead_letters)
    yield _gauge("greenroom_quarantined_messages", "Messages that crashed their actor and are kept.", state.quarantined)


def _actors(state: State, _tallies: Tallies) -> Iterator[Metric]:
    children = dict(_walked(state.children))
    restarts = {path: child.restarts for path, child in children.items()}
    yield _counter("greenroom_actor_restarts", "Automatic restarts of a child.", restarts, "actor")
    up = {path: child.state == "running" for path, child in children.items()}
    yield _gauge("greenroom_actor_up", "1 while a child runs.", up, "actor")
    found = {actor.name: actor.mailbox.statistics() for actor in state.actors}
    for kind, name, meaning, counted in _OF_MAILBOXES:
        yield kind(f"greenroom_mailbox_{name}", meaning, {at: counted(one) for at, one in found.items()}, "actor")


def _walked(children: Iterable[ChildInfo], above: str = "") -> Iterator[tuple[str, ChildInfo]]:
    for child in children:
        yield above + child.id, child
        yield from _walked(child.children, f"{above}{child.id}/")


def _times(_state: State, tallies: Tallies) -> Iterator[Metric]:
    for name, meaning, one in (
        ("queue_wait", "From being allowed to run to being dispatched.", tallies.queue_wait),
        ("dispatch_latency", "From the intent to the provider's acceptance.", tallies.dispatch),
        ("store_commit", "One transaction of the writer, waiting for its thread included.", tallies.commits),
    ):
        yield _histogram(f"greenroom_{name}_seconds", meaning, {"": one})
    yield _histogram("greenroom_actor_handling_seconds", "Handling one message.", tallies.handling, "actor")
    yield _histogram(
        "greenroom_actor_cycle_seconds", "One cycle: a look at the queue, a poll.", tallies.cycles, "actor"
    )


def _servers(state: State, tallies: Tallies) -> Iterator[Metric]:
    """Providers, clients, and the log."""
    states = {name: BREAKER_STATES.get(breaker, -1) for name, (breaker, _opened) in state.breakers.items()}
    meaning = "0 closed, 1 half open, 2 open: the provider is not called."
    yield _gauge("simpletuner_circuit_breaker_state", meaning, states, "provider")
    opened = {name: opened for name, (_state, opened) in state.breakers.items()}
    yield _counter("greenroom_circuit_breaker_opened", "How often a breaker opened.", opened, "provider")
    faults = tallies.client_faults.counts
    meaning = "Requests and connections refused, by port and reason."
    yield _counter("greenroom_client_faults", meaning, faults, "port", "reason")
    sinks = statistics()
    yield _counter("greenroom_log_lines_dropped", "Log lines lost to full queues.", sum(one.dropped for one in sinks))
    yield _counter("greenroom_log_write_errors", "Failed writes of log lines.", sum(one.errors for one in sinks))
    pending = sum(one.pending_bytes for one in sinks)
    yield _gauge("greenroom_log_pending_bytes", "Bytes of log lines that wait.", pending)
