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
    """How many jobs may run at once. ``greenroom limits set`` changes these limits while the supervisor runs.

    ``total``: jobs of all users together. ``per_user``: jobs of one user. ``per_organisation``: jobs of one
    organisation. ``per_team``: jobs of one team; this limit applies only with ``fair_share``. ``fair_share``: whether
    the limit for teams applies. ``per_provider``: jobs of one provider, by its name. A provider that is not listed has
    no limit of its own, except a provider with a queue of its own (``slurm``), whose limit is 100.
    ``per_provider_per_user``: jobs of one user at a provider with a queue of its own. ``count_clusters``: whether jobs
    at providers with a queue of their own also count in the limits of all, users, organisations and teams.
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
    """How many jobs may wait, and when resources are kept free for a job.

    ``max_waiting_per_user``: jobs of one user that may wait at the same time: for a free slot, for an approval or for
    other jobs. ``reserve_after``: how long a job waits for resources while others pass it, before resources are kept
    free for it.
    """

    max_waiting_per_user: int = attrs.field(default=maxima.WAITING, validator=ge(1))
    reserve_after: Seconds = attrs.field(default=600.0, validator=ge(0))


@attrs.frozen
class SeriesOptions:
    """The numbers that jobs report.

    ``max_bytes``: the size of the series of all jobs together. ``best``: for the name of a series, whether its least
    (min) or its greatest (max) value is the best. A rule in the job file is used instead of this one.
    """

    max_bytes: Bytes = attrs.field(default=2 << 30, validator=ge(0))
    best: Mapping[str, Literal["min", "max"]] = attrs.field(
        factory=dict, validator=deep_mapping(instance_of(str), in_(("min", "max")))
    )


@attrs.frozen
class SubmissionOptions:
    """What the command line adds to the jobs that its user submits.

    ``env_from``: variables of the submitter's environment that every job inherits, in addition to the usual ones:
    names, patterns such as ``WANDB_*``, or ``all``. This is read from the configuration on the submitter's machine.
    """

    env_from: tuple[str, ...] = attrs.field(default=(), validator=Items(maxima.CHOICES, Text(maxima.NAME)))


@attrs.frozen
class ApprovalOptions:
    """Which jobs need an approval, and how long a request stays open.

    ``default_rules``: whether the two rules that come with Greenroom are active. ``timeout_hours``: how long a request
    stays open. After that it expires, and its job is cancelled. ``rules``: the rules. The rule that applies and has the
    highest ``priority`` decides; of equal priorities, the rule that comes first. ``self_approval``: whether users may
    approve their own jobs.
    """

    default_rules: bool = False
    timeout_hours: Hours = attrs.field(default=24.0, validator=gt(0))
    rules: tuple[ApprovalRule, ...] = ()
    self_approval: bool = True


@attrs.frozen
class PollerOptions:
    """When remote providers are asked about their jobs.

    ``enabled``: whether remote providers are asked regularly; None: automatic, which means yes for remote providers
    without a ``webhook_url``. ``interval_seconds``: the time between two polls. ``safety_net_seconds``: a job of a
    provider that delivers webhooks is asked about if there was no news of it for this long; 0: never.
    """

    enabled: bool | None = None
    interval_seconds: Seconds = attrs.field(default=30.0, validator=gt(0))
    safety_net_seconds: Seconds = attrs.field(default=0.0, validator=ge(0))


LOOK_SECONDS = 5.0
"""Between two looks at the queue when nothing happens; fixed."""


@attrs.frozen
class QueueProcessingOptions:
    """Read because existing files have it.

    ``enabled``: has no effect, because the queue is always processed. ``interval_seconds``: has no effect, because the
    queue is looked at every 5 s and whenever something changes.
    """

    enabled: bool = True
    interval_seconds: Seconds = attrs.field(default=LOOK_SECONDS, validator=gt(0))


@attrs.frozen
class ExpiryOptions:
    """``interval_seconds``: how often expired requests are looked for, in addition to each deadline itself."""

    interval_seconds: Seconds = attrs.field(default=300.0, validator=gt(0))
