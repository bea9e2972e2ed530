"""What can be set about jobs: limits and approvals. Their defaults and their ranges stand here, beside their use."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from attrs.validators import deep_mapping, ge, gt, instance_of

from actors.jobs.records import ApprovalRule


@attrs.frozen
class Limits:
    """How many jobs may run at once (B10). Team limits hold only with ``fair_share``."""

    total: int = attrs.field(default=5, validator=ge(0))
    per_user: int = attrs.field(default=2, validator=ge(0))
    per_organisation: int = attrs.field(default=10, validator=ge(0))
    per_team: int = attrs.field(default=10, validator=ge(0))
    fair_share: bool = False
    per_provider: Mapping[str, int] = attrs.field(factory=dict, validator=deep_mapping(instance_of(str), ge(0)))


@attrs.frozen
class ApprovalOptions:
    """Which jobs need an approval and how long a request stays open (B17, B19)."""

    default_rules: bool = False
    timeout_hours: float = attrs.field(default=24.0, validator=gt(0))
    rules: tuple[ApprovalRule, ...] = ()
