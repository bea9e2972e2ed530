"""Tables of people: approvals and their rules, tokens and sessions, notifications."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from actors.store.dialect import partial_index
from actors.store.schema.metadata import metadata
from actors.store.types import BigId, JSONText, UTCDateTime

approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", String(64), primary_key=True),
    Column("job_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("required_level", String(32), nullable=False),
    Column("rule_id", Integer),
    Column("requested_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("timeout_seconds", Float, nullable=False),
    Column("decided_at", UTCDateTime),
    Column("decided_by", String(255)),
    Column("decision_reason", Text),
    partial_index("approvals_one_open", "job_id", unique=True, where="status = 'pending'"),
    partial_index("approvals_deadline", "expires_at", where="status = 'pending'"),
    Index("approvals_by_job", "job_id"),
    Index("approvals_by_status", "status", "approval_id"),
)

approval_rules = Table(
    "approval_rules",
    metadata,
    Column("rule_id", BigId, primary_key=True, autoincrement=False),
    Column("rule", JSONText),  # none: the configured rule of this id is removed
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(255)),
    Column("overrides", JSONText),  # the configured rule for which it was made; none: it was made for no such rule
)

access_tokens = Table(
    "access_tokens",
    metadata,
    Column("token_id", String(64), primary_key=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("name", String(255), nullable=False, server_default=""),
    Column("user_id", String(255), nullable=False),
    Column("org_id", String(255)),
    Column("level", String(32), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("created_by", String(255)),
    Column("expires_at", UTCDateTime),
    Column("revoked_at", UTCDateTime),
    Column("last_used_at", UTCDateTime),
    Column("teams", JSONText),  # a list of names; none: no team may be named
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("token_id", String(64)),  # of the token that signed in; none: the operator on the Unix socket
    Column("user_id", String(255), nullable=False),
    Column("org_id", String(255)),
    Column("level", String(32), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("expires_at", UTCDateTime, nullable=False),
    Column("teams", JSONText),
    Index("sessions_by_age", "expires_at"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("notification_id", BigId, primary_key=True, autoincrement=True),
    Column("job_id", String(64)),  # none: a digest, or the end of a group
    Column("target", String(255), nullable=False),
    Column("type", String(64), nullable=False),
    Column("body", JSONText, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_try_at", UTCDateTime),  # none: it ended, or an earlier one of its job and target has not
    Column("wait_seconds", Float),  # how long the wait is that ends at next_try_at
    Column("waited_seconds", Float, nullable=False, server_default="0"),  # all waits so far
    Column("last_error", Text),
    Column("finished_at", UTCDateTime),
    Column("merged_into", BigId),  # the digest that stands for it
    Index("notifications_by_job", "job_id", "notification_id"),
    Index("notifications_by_state", "state", "notification_id"),
    Index("notifications_by_target", "target", "notification_id"),
    partial_index("notifications_open", "job_id", "target", "notification_id", where="finished_at IS NULL"),
    partial_index("notifications_due", "target", "next_try_at", "notification_id", where="next_try_at IS NOT NULL"),
    partial_index("notifications_merged", "merged_into", where="merged_into IS NOT NULL"),
)

notification_targets = Table(
    "notification_targets",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("disabled_reason", Text),
    Column("disabled_at", UTCDateTime),
)

notification_groups = Table(  # groups whose end a target is to be sent
    "notification_groups",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("group_name", String(255), primary_key=True),
    Column("target", String(255), primary_key=True),
)
