"""The first schema.

A migration is a record of what was done once: it names its tables itself and does not follow ``schema.py``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from actors.store.types import BigId, JSONText, UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and begin counting events."""
    _jobs()
    _queue_entries()
    _queue_indexes()
    _lanes()
    _submissions()
    _approvals()
    _events()
    _registers()
    op.execute("INSERT INTO counters (name, value) VALUES ('events', 0)")


def downgrade() -> None:
    """There is nothing before the first."""
    raise RuntimeError("this is the first revision")


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("correlation_id", sa.String(length=128), nullable=False),
        sa.Column("request", JSONText(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("completed_at", UTCDateTime(), nullable=True),
        sa.Column("cost_usd", sa.Float(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("output_url", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("progress", JSONText(), nullable=True),
        sa.Column("result", JSONText(), nullable=True),
        sa.Column("cancel_requested_at", UTCDateTime(), nullable=True),
        sa.Column("cancel_requested_by", sa.String(length=255), nullable=True),
        sa.Column("uncertain_since", UTCDateTime(), nullable=True),
        sa.Column("uncertain_reason", sa.Text(), nullable=True),
        sa.Column("retry_of", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_index(
        "jobs_active",
        "jobs",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status IN ('pending','uploading','queued','running')"),
        postgresql_where=sa.text("status IN ('pending','uploading','queued','running')"),
    )
    op.create_index("jobs_by_user", "jobs", ["user_id", "created_at"], unique=False)


def _queue_entries() -> None:
    op.create_table(
        "queue_entries",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("org_id", sa.String(length=255), server_default="", nullable=False),
        sa.Column("team_id", sa.String(length=255), server_default="", nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("cpus", sa.Integer(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("memory", BigId, server_default="0", nullable=False),
        sa.Column("base_priority", sa.Integer(), nullable=False),
        sa.Column("priority_override", sa.Integer(), nullable=True),
        sa.Column("lane_id", BigId, nullable=True),
        sa.Column("queued_at", UTCDateTime(), nullable=False),
        sa.Column("queued_seq", BigId, nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=True),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("completed_at", UTCDateTime(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job_id"),
    )


def _queue_indexes() -> None:
    op.create_index(
        "entries_deferred",
        "queue_entries",
        ["not_before"],
        unique=False,
        sqlite_where=sa.text("not_before IS NOT NULL"),
        postgresql_where=sa.text("not_before IS NOT NULL"),
    )
    op.create_index(
        "entries_ready",
        "queue_entries",
        ["lane_id", "queued_at", "queued_seq"],
        unique=False,
        sqlite_where=sa.text("lane_id IS NOT NULL"),
        postgresql_where=sa.text("lane_id IS NOT NULL"),
    )
    op.create_index(
        "entries_running",
        "queue_entries",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_index(
        "entries_waiting",
        "queue_entries",
        ["queued_at"],
        unique=False,
        sqlite_where=sa.text("status IN ('pending','blocked')"),
        postgresql_where=sa.text("status IN ('pending','blocked')"),
    )


def _lanes() -> None:
    op.create_table(
        "lanes",
        sa.Column("lane_id", BigId, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("org_id", sa.String(length=255), nullable=False),
        sa.Column("team_id", sa.String(length=255), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("cpus", sa.Integer(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("memory", BigId, nullable=False),
        sa.Column("base_priority", sa.Integer(), nullable=False),
        sa.Column("override", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("head_job_id", sa.String(length=64), nullable=False),
        sa.Column("head_queued_at", UTCDateTime(), nullable=False),
        sa.Column("head_queued_seq", BigId, nullable=False),
        sa.Column("blocked_since", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("lane_id"),
        sa.UniqueConstraint(
            "user_id",
            "org_id",
            "team_id",
            "provider",
            "cpus",
            "gpus",
            "memory",
            "base_priority",
            "override",
            name="lanes_key",
        ),
    )


def _submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("intent_at", UTCDateTime(), nullable=False),
        sa.Column("handed_at", UTCDateTime(), nullable=True),
        sa.Column("handle", JSONText(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("spends_attempt", sa.Boolean(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("submissions_by_job", "submissions", ["job_id", "intent_at"], unique=False)
    op.create_index(
        "submissions_open",
        "submissions",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state != 'closed'"),
        postgresql_where=sa.text("state != 'closed'"),
    )


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("required_level", sa.String(length=32), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("requested_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(length=255), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    op.create_index("approvals_by_job", "approvals", ["job_id"], unique=False)
    op.create_index(
        "approvals_deadline",
        "approvals",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "approvals_one_open",
        "approvals",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", BigId, autoincrement=False, nullable=False),
        sa.Column("time", UTCDateTime(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=True),
        sa.Column("correlation_id", sa.String(length=128), nullable=False),
        sa.Column("data", JSONText(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("events_by_job", "events", ["job_id", "seq"], unique=False)


def _registers() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", BigId, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key"),
    )
    op.create_index("idempotency_by_age", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "provider_gates",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("closed_until", UTCDateTime(), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("provider"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("value", JSONText(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
