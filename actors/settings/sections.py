"""What the file may hold. A section is a field of :class:`Sections`, whose type is an options class.

That class stands with the package that decides by it; ``Background``, which only groups others, and ``Retention``,
which several packages get as a number, stand here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import attrs
from attrs.validators import ge

from actors.access.hosts import is_loopback
from actors.access.users import UserRights
from actors.api.options import HttpOptions, SocketOptions
from actors.feed.options import FeedOptions
from actors.job_requests.rules import RULE
from actors.job_requests.rules import check as check_rule
from actors.jobs.notify_options import NotificationTarget, NotifyOptions, options_fault, target_fault
from actors.jobs.options import (
    ApprovalOptions,
    ExpiryOptions,
    Limits,
    PollerOptions,
    QueueOptions,
    QueueProcessingOptions,
    SeriesOptions,
    SubmissionOptions,
)
from actors.jobs.quantities import Days
from actors.jobs.records import ApprovalRule
from actors.jobs.suggestions import did_you_mean
from actors.providers.entry_points import EntryPoint
from actors.settings.providers import ProviderSettings, default_providers, register_providers
from actors.validation import Format, Shape, StrictConverter, Wrong

FIRST_RULE_ID = 101
"""Of the configured rules; those that come with Greenroom have the ids below."""


@attrs.frozen
class Background:
    """The poller, the scheduler, and the expiry of approval requests."""

    job_status_polling: PollerOptions = attrs.field(factory=PollerOptions)
    queue_processing: QueueProcessingOptions = attrs.field(factory=QueueProcessingOptions)
    approval_expiration: ExpiryOptions = attrs.field(factory=ExpiryOptions)


@attrs.frozen
class Retention:
    """How long ended jobs are kept.

    ``days``: how long a job is kept after its end. After that it is removed, with its events and its directory; 0:
    never.
    """

    days: Days = attrs.field(default=90, validator=ge(0))


@attrs.frozen
class Sections:
    """The sections of the file, whole.

    ``state_dir``: the directory of the database, the jobs, the keys and the lock. A relative path starts at the
    directory of the configuration file. ``providers``: where jobs run. Jobs name a provider by its key here; None
    switches the provider off. ``entry_points``: programs, by name, that jobs may name instead of a command. ``users``:
    the rights of other users of this machine, by name. ``socket``: the socket for them; None: there is none.
    """

    state_dir: Path | None = None
    background: Background = attrs.field(factory=Background)
    limits: Limits = attrs.field(factory=Limits)
    queue: QueueOptions = attrs.field(factory=QueueOptions)
    series: SeriesOptions = attrs.field(factory=SeriesOptions)
    submission: SubmissionOptions = attrs.field(factory=SubmissionOptions)
    approvals: ApprovalOptions = attrs.field(factory=ApprovalOptions)
    providers: Mapping[str, ProviderSettings | None] = attrs.field(factory=dict)
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
    retention: Retention = attrs.field(factory=Retention)
    notify: NotifyOptions = attrs.field(factory=NotifyOptions)
    users: Mapping[str, UserRights] = attrs.field(factory=dict)
    socket: SocketOptions | None = None
    http: HttpOptions = attrs.field(factory=HttpOptions)
    feed: FeedOptions = attrs.field(factory=FeedOptions)


NAMES = tuple(attribute.name for attribute in attrs.fields(Sections))


def read_sections(data: Mapping[str, Any], problems: Any) -> Sections:
    """The sections in ``data``. Raises ``CheckedError`` with every problem, those in ``problems`` included."""
    section = data.get("providers")
    named = sorted({*default_providers(), *(section if isinstance(section, Mapping) else ())})
    sections = converter(named).read(data, Sections, problems=problems)
    assert isinstance(sections, Sections)
    return sections


def converter(providers: Iterable[str]) -> StrictConverter:
    """How the sections are written where that differs from the classes; ``providers`` are the names that there are."""
    known = list(providers)

    def provider(value: Any, usual: Callable[[Any], str]) -> str:
        if (name := usual(value)) not in known:
            raise Wrong(f"there is no provider {name!r:.60}{did_you_mean(name, known)}")
        return name

    def check(rule: ApprovalRule) -> None:
        check_rule(rule)
        if rule.condition == "provider" and rule.value not in known:
            raise Wrong(f"there is no provider {rule.value!r:.60}{did_you_mean(str(rule.value), known)}", "value")

    named = Annotated[str, Format(provider)]
    rule = attrs.evolve(RULE, types={**RULE.types, "applies_to_provider": named | None}, whole=check)
    converter = StrictConverter(
        {
            ApprovalRule: rule,
            ApprovalOptions: Shape(types={"rules": Annotated[tuple[ApprovalRule, ...], Format(_numbered)]}),
            Limits: Shape(types={"per_provider": Mapping[named, int]}),
            NotificationTarget: Shape(names={"for": "allowed"}, whole=_check_target),
            NotifyOptions: Shape(whole=_check_notify),
            Sections: Shape(types={"state_dir": Annotated[Path, Format(_unless_empty)] | None}, whole=_check_feed),
        }
    )
    register_providers(converter)
    return converter


def _numbered(value: Any, usual: Callable[[Any], tuple[ApprovalRule, ...]]) -> tuple[ApprovalRule, ...]:
    """Rules get their ids in the order of the file, which decides between equal priorities."""
    return tuple(attrs.evolve(rule, rule_id=FIRST_RULE_ID + index) for index, rule in enumerate(usual(value)))


def _unless_empty(value: Any, usual: Any) -> Any:
    return None if value == "" else usual(value)


def _check_target(target: NotificationTarget) -> None:
    if (fault := target_fault(target)) is not None:
        raise Wrong(fault[1], fault[0])


def _check_notify(options: NotifyOptions) -> None:
    if (fault := options_fault(options)) is not None:
        raise Wrong(fault[1], *fault[0])


def _check_feed(found: Sections) -> None:
    feed, http = found.feed, found.http
    if feed.enabled and not (is_loopback(feed.host) or http.is_encrypted or http.behind_proxy):
        raise Wrong(f"host {feed.host} is not loopback: it needs http.tls_certificate and http.tls_key", "feed")
