"""The tables. One description for every database; migrations build the same (a test compares them).

``queue_entries`` repeats what the scheduler counts by (user, organisation, provider, resources), so that counting
what runs reads one small index. ``lanes`` summarises the entries that could run now, one row for each kind of entry,
kept in the same transaction as the entries themselves: the scheduler reads lanes, never the queue.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from actors.store.derived import ENDED_NOT_INDEXED
from actors.store.dialect import partial_index
from actors.store.types import BigId, JSONText, UTCDateTime

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("correlation_id", String(128), nullable=False),
    Column("request", JSONText, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("updated_at", UTCDateTime, nullable=False),
    Column("started_at", UTCDateTime),
    Column("completed_at", UTCDateTime),
    Column("cost_usd", Float),
    Column("error_message", Text),
    Column("output_url", Text),
    Column("exit_code", Integer),
    Column("progress", JSONText),
    Column("result", JSONText),
    Column("cancel_requested_at", UTCDateTime),
    Column("cancel_requested_by", String(255)),
    Column("uncertain_since", UTCDateTime),
    Column("uncertain_reason", Text),
    Column("retry_of", String(64)),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("signal", Integer),
    Column("text_place", BigId),  # its row in the text index; none: the text is not in it (text_search.py)
    Index("jobs_by_status", "status", "job_id"),
    Index("jobs_by_user", "user_id", "status", "job_id", "created_at"),
    Index("jobs_by_provider", "provider", "status", "job_id"),
    partial_index("jobs_uncertain", "job_id", where="uncertain_since IS NOT NULL"),
    partial_index("jobs_by_text_place", "text_place", unique=True, where="text_place IS NOT NULL"),
    partial_index("jobs_not_in_text_index", "job_id", where=ENDED_NOT_INDEXED),
)

queue_entries = Table(
    "queue_entries",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("org_id", String(255), nullable=False, server_default=""),
    Column("team_id", String(255), nullable=False, server_default=""),
    Column("provider", String(64), nullable=False),
    Column("cpus", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("memory", BigId, nullable=False, server_default="0"),
    Column("base_priority", Integer, nullable=False),
    Column("priority_override", Integer),
    Column("lane_id", BigId),
    Column("queued_at", UTCDateTime, nullable=False),
    Column("queued_seq", BigId, nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("max_attempts", Integer, nullable=False),
    Column("not_before", UTCDateTime),
    Column("started_at", UTCDateTime),
    Column("completed_at", UTCDateTime),
    Column("error_message", Text),
    Column("wait_seconds", Float),  # how long the wait is that ends at not_before
    partial_index("entries_ready", "lane_id", "queued_at", "queued_seq", where="lane_id IS NOT NULL"),
    partial_index("entries_deferred", "not_before", where="not_before IS NOT NULL"),
    partial_index("entries_by_organisation", "org_id", "job_id", where="org_id != ''"),
    partial_index("entries_running", "status", where="status = 'running'"),
    partial_index("entries_waiting", "queued_at", where="status IN ('pending','blocked')"),
    partial_index("entries_waiting_by_user", "user_id", "status", where="status IN ('pending','blocked')"),
)

LANE_KEY = ("user_id", "org_id", "team_id", "provider", "cpus", "gpus", "memory", "base_priority", "override")

lanes = Table(
    "lanes",
    metadata,
    Column("lane_id", BigId, primary_key=True, autoincrement=True),
    Column("user_id", String(255), nullable=False),
    Column("org_id", String(255), nullable=False),
    Column("team_id", String(255), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("cpus", Integer, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("memory", BigId, nullable=False),
    Column("base_priority", Integer, nullable=False),
    Column("override", Integer, nullable=False),  # -1: none, since NULLs are distinct in a unique key
    Column("number", Integer, nullable=False),
    Column("head_job_id", String(64), nullable=False),
    Column("head_queued_at", UTCDateTime, nullable=False),
    Column("head_queued_seq", BigId, nullable=False),
    Column("blocked_since", UTCDateTime),
    Column("tag", BigId),  # names what the row holds; none: it must be read
    UniqueConstraint(*LANE_KEY, name="lanes_key"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("job_id", String(64), nullable=False),
    Column("token", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("intent_at", UTCDateTime, nullable=False),
    Column("handed_at", UTCDateTime),
    Column("handle", JSONText),
    Column("error", Text),
    Column("spends_attempt", Boolean, nullable=False, server_default="0"),
    Index("submissions_by_job", "job_id", "intent_at"),
    partial_index("submissions_open", "state", where="state != 'closed'"),
)

hand_over_deaths = Table(
    "hand_over_deaths",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("deaths", Integer, nullable=False),
)

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

events = Table(
    "events",
    metadata,
    Column("seq", BigId, primary_key=True, autoincrement=False),
    Column("time", UTCDateTime, nullable=False),
    Column("type", String(64), nullable=False),
    Column("job_id", String(64)),
    Column("correlation_id", String(128), nullable=False),
    Column("data", JSONText, nullable=False),
    Index("events_by_job", "job_id", "seq"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigId, nullable=False),
)

status_counts = Table(
    "status_counts",
    metadata,
    Column("kind", String(16), primary_key=True),  # the name of the table that is counted
    Column("status", String(16), primary_key=True),
    Column("number", BigId, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("job_id", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Index("idempotency_by_age", "created_at"),
)

provider_gates = Table(
    "provider_gates",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("paused_reason", Text),
    Column("closed_until", UTCDateTime),
    Column("closed_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("closed_seconds", Float),  # how long the wait is that ends at closed_until
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", JSONText, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(255)),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("delivery_id", String(255), primary_key=True),
    Column("received_at", UTCDateTime, nullable=False),
    Index("deliveries_by_age", "received_at"),
)

approval_rules = Table(
    "approval_rules",
    metadata,
    Column("rule_id", BigId, primary_key=True, autoincrement=False),
    Column("rule", JSONText),  # none: the configured rule of this id is removed
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(255)),
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
