"""The state of a runtime as Prometheus reads it: gathered when it is asked for, few labels, no series per job or user.

Names that SimpleTuner's own exporter has are kept, for dashboards that exist; everything else begins with
``greenroom_``. ``simpletuner_jobs_total`` is a counter of this process, as a name in ``_total`` must be, and begins at
0 with each start; what is stored now is in ``simpletuner_jobs_by_status``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from actors.jobs.deliveries import DeliveryOutcome
from actors.jobs.records import ACTIVE_JOBS, JobStatus, QueueStatus
from actors.kernel import ActorRef
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
        yield from _jobs(self.state.counts, self.tallies)
        yield from _whole(self.state, self.tallies)
        yield from _tree(self.state)
        yield from _mailboxes(self.state.actors)
        yield from _times(self.tallies)
        yield from _providers(self.state.breakers)
        yield from _clients(self.tallies)
        yield from _log()


def _jobs(counts: Mapping[str, Mapping[str, int]], tallies: Tallies) -> Iterator[Metric]:
    jobs, queue = counts["jobs"], counts["queue"]
    yield _counter("simpletuner_jobs", "Jobs accepted since this supervisor started.", tallies.accepted)
    by_status = {status.value: jobs.get(status.value, 0) for status in JobStatus}
    yield _gauges("simpletuner_jobs_by_status", "Jobs that are kept, by status.", "status", by_status)
    active = sum(jobs.get(status.value, 0) for status in ACTIVE_JOBS)
    yield _gauge("simpletuner_jobs_active", "Jobs that have not ended.", active)
    blocked = queue.get(QueueStatus.BLOCKED.value, 0)
    yield _gauge("simpletuner_approval_requests_pending", "Approval requests that wait for a person.", blocked)
    entries = {status.value: queue.get(status.value, 0) for status in QueueStatus if status is not QueueStatus.READY}
    yield _gauges("greenroom_queue_entries", "Queue entries that are kept, by status.", "status", entries)
    ended = {status: tallies.ended[status] for status in ("completed", "failed", "cancelled")}
    yield _counters("greenroom_jobs_ended", "Jobs that ended, by how.", "status", ended)


def _whole(state: State, tallies: Tallies) -> Iterator[Metric]:
    yield _gauge("simpletuner_uptime_seconds", "Since the supervisor became ready.", state.uptime)
    yield _gauge("greenroom_healthy", "1 when /health is ok, 0 when it is degraded.", state.healthy)
    yield _gauge("greenroom_write_ahead_log_bytes", "Length of the database's write-ahead log.", state.log_bytes)
    yield _counters("greenroom_events", "Events published, by type.", "type", tallies.events)
    came = {outcome.value: tallies.deliveries[outcome] for outcome in DeliveryOutcome}
    yield _counters("greenroom_deliveries", "Webhooks that came in, by what was done about them.", "outcome", came)
    yield _gauge("greenroom_event_subscribers", "Open streams of events.", tallies.subscribers)
    yield _counter("greenroom_dead_letters", "Messages that reached nobody.", state.dead_letters)
    yield _gauge("greenroom_quarantined_messages", "Messages that crashed their actor and are kept.", state.quarantined)


def _tree(state: State) -> Iterator[Metric]:
    children = dict(_walked(state.children))
    restarts = {path: child.restarts for path, child in children.items()}
    yield _counters("greenroom_actor_restarts", "Automatic restarts of a child.", "actor", restarts)
    up = {path: child.state == "running" for path, child in children.items()}
    yield _gauges("greenroom_actor_up", "1 while a child runs.", "actor", up)


def _walked(children: Iterable[ChildInfo], above: str = "") -> Iterator[tuple[str, ChildInfo]]:
    for child in children:
        yield above + child.id, child
        yield from _walked(child.children, f"{above}{child.id}/")


def _mailboxes(actors: Iterable[ActorRef]) -> Iterator[Metric]:
    found = [(actor.name, actor.mailbox.statistics()) for actor in actors]
    for name, meaning, values in (
        ("depth", "Messages that wait.", {name: one.depth for name, one in found}),
        ("high_water", "The most that ever waited.", {name: one.high_water for name, one in found}),
        ("capacity", "Messages that may wait.", {name: one.capacity for name, one in found}),
    ):
        yield _gauges(f"greenroom_mailbox_{name}", meaning, "actor", values)
    for name, meaning, values in (
        ("taken", "Messages that were taken out.", {name: one.taken for name, one in found}),
        ("coalesced", "Messages absorbed by one that waited.", {name: one.coalesced for name, one in found}),
        ("dropped", "Messages lost to overflow.", {name: one.dropped + one.rejected for name, one in found}),
    ):
        yield _counters(f"greenroom_mailbox_{name}", meaning, "actor", values)


def _times(tallies: Tallies) -> Iterator[Metric]:
    for name, meaning, one in (
        ("queue_wait", "From being allowed to run to being dispatched.", tallies.queue_wait),
        ("dispatch_latency", "From the intent to the provider's acceptance.", tallies.dispatch),
        ("store_commit", "One transaction of the writer, waiting for its thread included.", tallies.commits),
    ):
        family = HistogramMetricFamily(f"greenroom_{name}_seconds", meaning)
        family.add_metric([], one.cumulative(), one.sum)
        yield family
    yield _histograms("greenroom_actor_handling_seconds", "Handling one message.", tallies.handling)
    yield _histograms("greenroom_actor_cycle_seconds", "One cycle: a look at the queue, a poll.", tallies.cycles)


def _providers(breakers: Mapping[str, tuple[str, int]]) -> Iterator[Metric]:
    states = {name: BREAKER_STATES.get(state, -1) for name, (state, _opened) in breakers.items()}
    meaning = "0 closed, 1 half open, 2 open: the provider is not called."
    yield _gauges("simpletuner_circuit_breaker_state", meaning, "provider", states)
    opened = {name: opened for name, (_state, opened) in breakers.items()}
    yield _counters("greenroom_circuit_breaker_opened", "How often a breaker opened.", "provider", opened)


def _clients(tallies: Tallies) -> Iterator[Metric]:
    family = CounterMetricFamily(
        "greenroom_client_faults", "Requests and connections refused, by port and reason.", labels=["port", "reason"]
    )
    for port_and_reason, number in sorted(tallies.client_faults.counts.items()):
        family.add_metric(list(port_and_reason), number)
    yield family


def _log() -> Iterator[Metric]:
    sinks = statistics()
    yield _counter("greenroom_log_lines_dropped", "Log lines lost to full queues.", sum(one.dropped for one in sinks))
    yield _counter("greenroom_log_write_errors", "Failed writes of log lines.", sum(one.errors for one in sinks))
    yield _gauge(
        "greenroom_log_pending_bytes", "Bytes of log lines that wait.", sum(one.pending_bytes for one in sinks)
    )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value=float(value))


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(name, meaning, labels=[label]), values)


def _counters(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(name, meaning, labels=[label]), values)


def _labelled(family: Any, values: Mapping[str, float]) -> Metric:
    for value in sorted(values):
        family.add_metric([value], float(values[value]))
    found: Metric = family
    return found


def _histograms(name: str, meaning: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, meaning, labels=["actor"])
    for actor in sorted(histograms):
        family.add_metric([actor], histograms[actor].cumulative(), histograms[actor].sum)
    return family
