"""The runtime: actors, providers, settings, health, pruning."""

from __future__ import annotations

from typing import Any, TypedDict

import attrs

from actors.control.health import Health
from actors.control.restore import RestoreView
from actors.documents.common import Document, Moment, from_fields, moment, plain
from actors.jobs import maxima
from actors.jobs.retention import PruneResult
from actors.ledger.provider_views import ProviderView


class PruneDocument(TypedDict):
    """What was removed, or would be. ``held``: why pruning is on hold and how that ends; null if it is not.

    ``next``: the ``after`` of the next request, if more is to be removed; else null.
    """

    jobs: int
    events: int
    kept: int
    before: Moment | None
    oldest: Moment | None
    held: str | None
    next: str | None


def prune_document(result: PruneResult) -> PruneDocument:
    """What was removed, or would be."""
    return from_fields(PruneDocument, result)


class TreeDocument(TypedDict):
    """The supervision tree: for each child its state, restarts, uptime, mailbox, last failure and children."""

    children: list[Document]


class DeadLettersDocument(TypedDict):
    """Messages that reached no actor, the oldest first."""

    dead_letters: list[Document]


class QuarantineDocument(TypedDict):
    """Messages whose handling crashed their actor, the oldest first."""

    quarantine: list[Document]


class BreakerDocument(TypedDict):
    """A circuit breaker: ``closed``, ``open`` or ``half_open``, how often it opened, and how long it stays open."""

    state: str
    opened: int
    rest_seconds: float
    why: str


class CapacityDocument(TypedDict):
    """The capacity of a provider: slots for CPUs and GPUs, bytes of memory; null: not counted there."""

    cpus: int | None
    gpus: int | None
    memory: int | None


class InUseDocument(TypedDict):
    """What the jobs of all users hold at a provider, also those that the caller may not see."""

    jobs: int
    cpus: int
    gpus: int
    memory: int


class ProviderDocument(TypedDict):
    """A provider. ``gate``: why it gets no jobs now.

    ``checked``: it was asked for this answer (``check=true``). ``fault``: what is wrong, null if nothing is.
    ``capacity``: null if it cannot say. ``in_use`` includes jobs that are being submitted. ``devices``: the names of
    its GPUs, as in the ``devices`` of its jobs; null if it names none.
    """

    name: str
    kind: str | None
    breaker: BreakerDocument
    gate: str | None
    checked: bool
    fault: str | None
    capabilities: Document
    capacity: CapacityDocument | None
    in_use: InUseDocument
    devices: list[str] | None


def provider_document(view: ProviderView) -> ProviderDocument:
    """The state of a provider."""
    capabilities = attrs.asdict(view.capabilities, value_serializer=lambda _one, _field, value: plain(value))
    breaker = from_fields(BreakerDocument, view.breaker, rest_seconds=view.breaker.retry_after)
    return from_fields(
        ProviderDocument, view, breaker=breaker, capabilities=capabilities,
        capacity=None if view.capacity is None else from_fields(CapacityDocument, view.capacity),
        in_use=from_fields(InUseDocument, view.in_use),
    )  # fmt: skip


class ProvidersDocument(TypedDict):
    """The configured providers."""

    providers: list[ProviderDocument]


class SettingDocument(TypedDict):
    """A setting in effect: its key in the file, its value with secrets masked, and where it comes from."""

    key: str
    value: Any
    source: str


class ConfigDocument(TypedDict):
    """Every setting in effect."""

    settings: list[SettingDocument]


class UnknownJobDocument(TypedDict):
    """A job that a provider runs and that the restored runtime does not know; ``name``: its name at the provider."""

    provider: str
    key: str
    name: str


class RestoreDocument(TypedDict):
    """Which runtime this is, and when and from which backup it was restored; null: never.

    ``to_look_up``: by provider, about how many jobs it is still to be asked. ``unknown_jobs``: jobs at providers that
    were submitted after the backup was made, at most 1,000, and ``unknown_number`` how many there are; ``not_listed``:
    by provider, why that is not known. ``original_held_by``: the supervisor that runs where the backup was made.
    """

    instance_id: str | None
    restored_at: Moment | None
    began_at: Moment | None
    original: str | None
    original_held_by: str | None
    to_look_up: dict[str, int]
    unknown_jobs: list[UnknownJobDocument]
    unknown_number: int
    not_listed: dict[str, str]


def restore_document(view: RestoreView) -> RestoreDocument:
    """The state of a restore."""
    made = view.restored
    return {
        "instance_id": view.instance_id,
        "restored_at": None if made is None else moment(made.at),
        "began_at": None if made is None else moment(made.began_at),
        "original": None if made is None else made.original,
        "original_held_by": view.original_held_by,
        "to_look_up": dict(view.to_look_up),
        "unknown_jobs": [from_fields(UnknownJobDocument, one) for one in view.unknown_jobs[: maxima.ROWS]],
        "unknown_number": len(view.unknown_jobs),
        "not_listed": dict(view.not_listed),
    }


class HealthDocument(TypedDict):
    """Whether the runtime works, ``ok`` or ``degraded`` for these ``reasons``, and since when it runs.

    ``notes``: what is worth knowing, but is no fault.
    """

    status: str
    reasons: list[str]
    notes: list[str]
    uncertain_jobs: list[str]
    started_at: Moment | None


def health_document(health: Health) -> HealthDocument:
    """Whether the runtime works, and since when it runs."""
    return from_fields(HealthDocument, health, uncertain_jobs=list(health.uncertain_jobs[: maxima.ROWS]))
