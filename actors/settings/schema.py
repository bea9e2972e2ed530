"""What the file may hold. Sections are the options of the modules that use them; what is only written here is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs.validators import ge, gt

from actors.api.options import HttpOptions, is_loopback
from actors.feed.options import FeedOptions
from actors.jobs.options import ApprovalOptions, ExpiryOptions, Limits, PollerOptions, QueueOptions
from actors.jobs.records import ApprovalRule
from actors.providers.entry_points import EntryPoint
from actors.settings.model import RETENTION_DAYS, ProviderSettings
from actors.settings.providers import read_providers
from actors.settings.rules import known_as, read_rules, rule_shape
from actors.validation import Entry, Reader, join
from actors.validation.reader import Shape

LOOKS_EVERY = 5.0
"""Seconds between two looks at the queue; fixed (B8)."""


@attrs.frozen
class QueueProcessing:
    """Read because existing files have it; it changes nothing (B8)."""

    enabled: bool = True
    interval_seconds: float = attrs.field(default=LOOKS_EVERY, validator=gt(0))


@attrs.frozen
class Background:
    """The three actors."""

    job_status_polling: PollerOptions = attrs.field(factory=PollerOptions)
    queue_processing: QueueProcessing = QueueProcessing()
    approval_expiration: ExpiryOptions = attrs.field(factory=ExpiryOptions)


@attrs.frozen
class Retention:
    """How long ended jobs are kept, in days; 0 is for ever (C6)."""

    days: int = attrs.field(default=RETENTION_DAYS, validator=ge(0))


@attrs.frozen
class Document:
    """The file's sections that are ours. ``providers`` None: the section is not there."""

    background: Background = Background()
    limits: Limits = attrs.field(factory=Limits)
    queue: QueueOptions = attrs.field(factory=QueueOptions)
    approvals: ApprovalOptions = attrs.field(factory=ApprovalOptions)
    providers: Mapping[str, ProviderSettings | None] | None = None
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
    retention: Retention = Retention()
    http: HttpOptions = attrs.field(factory=HttpOptions)
    feed: FeedOptions = attrs.field(factory=FeedOptions)
    state_dir: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.feed.enabled and not (is_loopback(self.feed.host) or self.http.is_encrypted or self.http.behind_proxy):
            raise ValueError(
                f"feed: host {self.feed.host} is not loopback: it needs http.tls_certificate and http.tls_key"
            )


SECTIONS = tuple(attribute.name for attribute in attrs.fields(Document))


def shapes(providers: Iterable[str]) -> dict[type, Shape]:
    """How the sections are written where that differs from the classes; ``providers`` are the names that there are."""
    provider = known_as("provider", providers)

    def read_per_provider(reader: Reader, entry: Entry, path: str) -> Any:
        for name, child in (reader.entries(entry, path) or {}).items():
            if fault := provider(name):
                reader.fault(child, join(path, name), fault)
        return reader.convert(entry, Mapping[str, int], path)

    return {
        ApprovalRule: rule_shape(provider),
        ApprovalOptions: Shape(reads={"rules": read_rules(provider)}),
        Limits: Shape(reads={"per_provider": read_per_provider}),
        Document: Shape(reads={"providers": read_providers}),
    }
