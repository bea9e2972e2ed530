"""Names, groups, dependencies, later starts, runs again, series and notifications: each function adds one subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from actors.store import derived

revision = "0005"
down_revision = "0004"

_INSTANT = sa.BigInteger()
_JOB_ID = sa.String(length=64)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables, one subject after the other."""
    _names_and_groups()
    _progress()
    _later_starts()
    _waiting_for_others()
    _wide_jobs()
    _attempts()
    _notifications()
    _starts_and_ends()


def _names_and_groups() -> None:
    """Jobs are found by their names, so a column repeats what their requests hold."""
    op.add_column("jobs", sa.Column("config_name", sa.String(length=255), nullable=True))
    op.add_column("jobs", sa.Column("group_name", sa.String(length=255), nullable=True))
    op.execute(
        "UPDATE jobs SET config_name = CASE WHEN json_valid(request) THEN json_extract(request, '$.config_name') END"
    )
    named, grouped = sa.text("config_name IS NOT NULL"), sa.text("group_name IS NOT NULL")
    op.create_index("jobs_by_name", "jobs", ["config_name", "user_id", "job_id"], sqlite_where=named)
    retries = sa.text("retry_of IS NOT NULL")
    op.create_index("jobs_by_retry", "jobs", ["retry_of", "job_id"], sqlite_where=retries)
    op.create_index("jobs_by_group", "jobs", ["group_name", "user_id", "status", "job_id"], sqlite_where=grouped)
    op.add_column("idempotency_keys", sa.Column("kept_with_job", sa.Boolean(), nullable=False, server_default="0"))
    op.drop_index("idempotency_by_age", "idempotency_keys")
    limited = sa.text("NOT kept_with_job")
    op.create_index("idempotency_by_age", "idempotency_keys", ["created_at"], sqlite_where=limited)
    op.create_index("idempotency_by_job", "idempotency_keys", ["job_id"])


def _starts_and_ends() -> None:
    """For lists in the order of starts or ends, and for what started and ended in the last hour."""
    for name, column in (("jobs_by_start", "started_at"), ("jobs_by_end", "completed_at")):
        op.create_index(name, "jobs", [column, "job_id"], sqlite_where=sa.text(f"{column} IS NOT NULL"))


def _progress() -> None:
    """What a job got, how fast it goes, and its numbers over time."""
    op.add_column("jobs", sa.Column("waiting_reason", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("devices", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("pace", sa.Text(), nullable=True))
    op.create_table(
        "series",
        sa.Column("job_id", _JOB_ID, primary_key=True),
        sa.Column("attempt", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=255), primary_key=True),
        sa.Column("last", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
    )
    op.create_index("series_ends", "series", ["job_id", "attempt", "name", "last", "low", "high"])
    for statement in derived.series_statements():
        op.execute(statement)


def _waiting_for_others() -> None:
    """For whom a job waits, and the ends that are still to be passed on to those that wait."""
    op.add_column("queue_entries", sa.Column("unfinished_parents", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("queue_entries", sa.Column("is_awaited", sa.Boolean(), nullable=False, server_default="0"))
    held = sa.text("status = 'pending' AND lane_id IS NULL")
    op.create_index("entries_held", "queue_entries", ["user_id", "unfinished_parents"], sqlite_where=held)
    op.create_table(
        "dependencies",
        sa.Column("job_id", _JOB_ID, primary_key=True),
        sa.Column("parent_id", _JOB_ID, primary_key=True),
        sa.Column("parent_name", sa.String(length=255), nullable=True),
        sa.Column("parent_status", sa.String(length=16), nullable=True),
        sa.Column("parent_completed_at", _INSTANT, nullable=True),
        sa.Column("broke", sa.Boolean(), nullable=False, server_default="0"),
    )
    op.create_index("dependencies_by_parent", "dependencies", ["parent_id", "job_id"])
    still_open = sa.text("parent_status IS NULL")
    op.create_index("dependencies_open", "dependencies", ["parent_id", "job_id"], sqlite_where=still_open)
    op.create_table(
        "ended_parents",
        sa.Column("parent_id", _JOB_ID, primary_key=True),
        sa.Column("ended_at", _INSTANT, nullable=False),
    )
    op.create_index("ended_parents_by_end", "ended_parents", ["ended_at", "parent_id"])


def _later_starts() -> None:
    op.add_column("queue_entries", sa.Column("start_after", _INSTANT, nullable=True))
    op.add_column("queue_entries", sa.Column("start_wait_seconds", sa.Float(), nullable=True))
    later = sa.text("start_after IS NOT NULL")
    op.create_index("entries_later", "queue_entries", ["start_after"], sqlite_where=later)


def _attempts() -> None:
    """How each attempt ended, how often a job ran again, and at which attempt the present run began."""
    op.add_column("queue_entries", sa.Column("reruns", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("queue_entries", sa.Column("run_first_attempt", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("queue_entries", sa.Column("restored", sa.String(length=16), nullable=True))
    restored = sa.text("restored IS NOT NULL")
    op.create_index("entries_restored", "queue_entries", ["restored", "provider", "job_id"], sqlite_where=restored)
    op.add_column("submissions", sa.Column("closed_at", _INSTANT, nullable=True))
    op.add_column("submissions", sa.Column("outcome", sa.Text(), nullable=True))


def _wide_jobs() -> None:
    """The longest time that a job may run, beside what it takes: what is kept for another one is lent by it."""
    op.add_column("queue_entries", sa.Column("max_runtime", sa.Float(), nullable=True))
    op.alter_column("lanes", "number", new_column_name="count")
    op.add_column("lanes", sa.Column("head_max_runtime", sa.Float(), nullable=True))
    number = "CASE WHEN json_valid(request) THEN json_extract(request, '$.max_runtime') END"
    op.execute(
        f"UPDATE queue_entries SET max_runtime = (SELECT {number} FROM jobs WHERE jobs.job_id = queue_entries.job_id) "
        "WHERE status IN ('pending','blocked','running')"
    )
    head = "FROM queue_entries WHERE queue_entries.job_id = lanes.head_job_id"
    op.execute(
        f"UPDATE lanes SET tag = NULL, head_max_runtime = (SELECT max_runtime {head}) "
        f"WHERE (SELECT max_runtime {head}) IS NOT NULL"
    )


def _notifications() -> None:
    """What is to be sent, the targets that take nothing any more, the groups whose end is to be told."""
    op.create_table(
        "notifications",
        sa.Column("notification_id", _NUMBER, primary_key=True),
        sa.Column("job_id", _JOB_ID, nullable=True),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_try_at", _INSTANT, nullable=True),
        sa.Column("wait_seconds", sa.Float(), nullable=True),
        sa.Column("waited_seconds", sa.Float(), nullable=False, server_default="0"),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("finished_at", _INSTANT, nullable=True),
        sa.Column("merged_into", _NUMBER, nullable=True),
    )
    op.create_index("notifications_by_job", "notifications", ["job_id", "notification_id"])
    op.create_index("notifications_by_state", "notifications", ["state", "notification_id"])
    op.create_index("notifications_by_target", "notifications", ["target", "notification_id"])
    unfinished = sa.text("finished_at IS NULL")
    op.create_index(
        "notifications_open", "notifications", ["job_id", "target", "notification_id"], sqlite_where=unfinished
    )
    due, merged = sa.text("next_try_at IS NOT NULL"), sa.text("merged_into IS NOT NULL")
    op.create_index(
        "notifications_due", "notifications", ["target", "next_try_at", "notification_id"], sqlite_where=due
    )
    op.create_index("notifications_merged", "notifications", ["merged_into"], sqlite_where=merged)
    op.create_table(
        "notification_targets",
        sa.Column("name", sa.String(length=255), primary_key=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("disabled_at", _INSTANT, nullable=True),
    )
    op.create_table(
        "notification_groups",
        sa.Column("user_id", sa.String(length=255), primary_key=True),
        sa.Column("group_name", sa.String(length=255), primary_key=True),
        sa.Column("target", sa.String(length=255), primary_key=True),
    )
