"""Records about approvals: the requests, and the rules that cause them."""

from __future__ import annotations

from datetime import datetime

import attrs

from actors.jobs.statuses import ApprovalStatus


@attrs.frozen
class ApprovalRequest:
    """A request that a person decides: may this job run? It is decided once, or expires at ``expires_at``."""

    approval_id: str
    job_id: str
    status: ApprovalStatus
    reason: str
    required_level: str
    requested_at: datetime
    expires_at: datetime
    timeout_seconds: float
    rule_id: int | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decision_reason: str | None = None


@attrs.frozen
class ApprovalRule:
    """When a job needs an approval.

    ``name``: the name that people read. ``condition``: the question about a job. ``value``: the number, glob or name
    that the condition compares with. ``priority``: of the rules that apply, the one with the highest priority decides.
    ``applies_to_provider``: the rule is for jobs of this provider only. ``applies_to_level``: the rule is for users of
    this level only. ``exempt_levels``: the rule is not for users of these levels. ``required_approver_level``: the
    lowest level that may decide. ``is_active``: false switches the rule off. ``rule_id``: decides between equal
    priorities; nobody sets it.
    """

    name: str
    condition: str
    value: float | str | None = None
    priority: int = 0
    applies_to_provider: str | None = None
    applies_to_level: str | None = None
    exempt_levels: tuple[str, ...] = ()
    required_approver_level: str = "lead"
    is_active: bool = True
    rule_id: int = 0
