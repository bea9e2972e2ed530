"""The runtime: actors, providers, settings, health, pruning."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import attrs

from actors.control.restore import RestoreView, UnknownJob
from actors.documents.common import Document, from_fields
from actors.jobs import maxima
from actors.ledger.provider_views import ProviderView, Usage


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
    in_use: Usage
    devices: list[str] | None


def provider_document(view: ProviderView) -> ProviderDocument:
    """The state of a provider."""
    breaker = from_fields(BreakerDocument, view.breaker, rest_seconds=view.breaker.retry_after)
    return from_fields(
        ProviderDocument, view, breaker=breaker, capabilities=attrs.asdict(view.capabilities),
        capacity=None if view.capacity is None else from_fields(CapacityDocument, view.capacity),
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


class RestoreDocument(TypedDict):
    """Which runtime this is, and when and from which backup it was restored; null: never.

    ``to_look_up``: by provider, about how many jobs it is still to be asked. ``unknown_jobs``: jobs at providers that
    were submitted after the backup was made, at most 1,000, and ``unknown_number`` how many there are; ``not_listed``:
    by provider, why that is not known. ``original_held_by``: the supervisor that runs where the backup was made.
    """

    instance_id: str | None
    restored_at: datetime | None
    began_at: datetime | None
    original: str | None
    original_held_by: str | None
    to_look_up: dict[str, int]
    unknown_jobs: list[UnknownJob]
    unknown_number: int
    not_listed: dict[str, str]


def restore_document(view: RestoreView) -> RestoreDocument:
    """The state of a restore."""
    made = view.restored
    return {
        "instance_id": view.instance_id,
        "restored_at": None if made is None else made.at,
        "began_at": None if made is None else made.began_at,
        "original": None if made is None else made.original,
        "original_held_by": view.original_held_by,
        "to_look_up": dict(view.to_look_up),
        "unknown_jobs": list(view.unknown_jobs[: maxima.ROWS]),
        "unknown_number": len(view.unknown_jobs),
        "not_listed": dict(view.not_listed),
    }
