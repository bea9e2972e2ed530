"""What can be set about jobs: limits, approvals, polling, expiry. Defaults and ranges, for those who decide by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import deep_mapping, ge, gt, in_, instance_of

from actors.jobs import maxima
from actors.jobs.maximum import Items, Text
from actors.jobs.quantities import Bytes, Hours, Seconds
from actors.jobs.records import ApprovalRule


@attrs.frozen
class Limits:
    """How many jobs may run at once. ``greenroom limits set`` changes them while the supervisor runs.

    ``total``: jobs of everybody. ``per_user``: jobs of one user. ``per_organisation``: jobs of one organisation.
    ``per_team``: jobs of one team; it holds only with ``fair_share``. ``fair_share``: whether the limit of teams holds.
    ``per_provider``: jobs of one provider, by its name; a provider that is not named has no limit of its own, except
    one that has a queue of its own (``slurm``), whose limit is 100. ``per_provider_per_user``: jobs of one user at such
    a provider. ``count_clusters``: whether its jobs count in the limits of all, users, organisations and teams, too.
    """

    total: int = attrs.field(default=5, validator=ge(0))
    per_user: int = attrs.field(default=2, validator=ge(0))
    per_organisation: int = attrs.field(default=10, validator=ge(0))
    per_team: int = attrs.field(default=10, validator=ge(0))
    fair_share: bool = False
    per_provider: Mapping[str, int] = attrs.field(factory=dict, validator=deep_mapping(instance_of(str), ge(0)))
    per_provider_per_user: int = attrs.field(default=50, validator=ge(0))
    count_clusters: bool = False

    def of_provider(self, name: str, *, separate: bool) -> int | None:
        """How many jobs may run at a provider; None: that is not limited. ``separate``: it has limits of its own."""
        return self.per_provider.get(name, SEPARATE if separate else None)


SEPARATE = 100
"""Jobs at once at a provider that has a queue of its own, where the configuration does not say."""


@attrs.frozen
class QueueOptions:
    """Who may wait, and for whom resources are kept.

    ``max_waiting_per_user``: entries of one user that may wait, for their turn, an approval or other jobs.
    ``reserve_after``: how long a job is passed over for want of resources before they are kept for it.
    """

    max_waiting_per_user: int = attrs.field(default=maxima.WAITING, validator=ge(1))
    reserve_after: Seconds = attrs.field(default=600.0, validator=ge(0))


@attrs.frozen
class SeriesOptions:
    """The numbers that jobs report.

    ``max_bytes``: what the series of all jobs may take in all. ``best``: by name of a series, whether its least (min)
    or its greatest (max) value is the best. What a job's own file says goes before it.
    """

    max_bytes: Bytes = attrs.field(default=2 << 30, validator=ge(0))
    best: Mapping[str, Literal["min", "max"]] = attrs.field(
        factory=dict, validator=deep_mapping(instance_of(str), in_(("min", "max")))
    )


@attrs.frozen
class SubmissionOptions:
    """What the command line adds to its user's jobs.

    ``env_from``: variables of the submitter's environment that every job inherits beside the usual ones: names,
    patterns such as ``WANDB_*``, or ``all``. Whoever submits reads it.
    """

    env_from: tuple[str, ...] = attrs.field(default=(), validator=Items(maxima.CHOICES, Text(maxima.NAME)))


@attrs.frozen
class ApprovalOptions:
    """Which jobs need an approval and how long a request stays open.

    ``default_rules``: whether the two rules that come with Greenroom are active. ``timeout_hours``: how long a request
    stays open. Then it expires, and its job is cancelled. ``rules``: the rules. The highest ``priority`` that fits
    decides; of equal ones the one that stands first. ``self_approval``: whether somebody may approve their own job.
    """

    default_rules: bool = False
    timeout_hours: Hours = attrs.field(default=24.0, validator=gt(0))
    rules: tuple[ApprovalRule, ...] = ()
    self_approval: bool = True


@attrs.frozen
class PollerOptions:
    """When remote providers are asked about their jobs.

    ``enabled``: timed polling on, off, or automatic (None): on for remote providers without a ``webhook_url``.
    ``interval_seconds``: how often they are asked. ``safety_net_seconds``: a job of a provider that delivers webhooks
    is asked about when nothing was heard of it for so long; 0: never.
    """

    enabled: bool | None = None
    interval_seconds: Seconds = attrs.field(default=30.0, validator=gt(0))
    safety_net_seconds: Seconds = attrs.field(default=0.0, validator=ge(0))


LOOK_SECONDS = 5.0
"""Between two looks at the queue when nothing happens; fixed."""


@attrs.frozen
class QueueProcessingOptions:
    """Read because existing files have it.

    ``enabled``: it changes nothing, the queue is always processed. ``interval_seconds``: it changes nothing, the queue
    is looked at every 5 s and whenever something happens.
    """

    enabled: bool = True
    interval_seconds: Seconds = attrs.field(default=LOOK_SECONDS, validator=gt(0))


@attrs.frozen
class ExpiryOptions:
    """``interval_seconds``: how often expired requests are looked for, beside at each deadline itself."""

    interval_seconds: Seconds = attrs.field(default=300.0, validator=gt(0))
