"""What the limits on untrusted input need in the store; each function below adds the columns of one subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns and tables, one subject after the other."""
    _waiting_by_user()
    _relative_waits()
    _teams_of_tokens()
    _hand_over_deaths()
    _users_of_events()
    _signals()


def _waiting_by_user() -> None:
    """How many entries of one user wait is counted with every submission, from the index alone."""
    waiting = sa.text("status IN ('pending','blocked')")
    op.create_index("entries_waiting_by_user", "queue_entries", ["user_id", "status"], sqlite_where=waiting)


def _relative_waits() -> None:
    """How long each wait is whose end stands beside it."""
    op.add_column("queue_entries", sa.Column("wait_seconds", sa.Float(), nullable=True))
    op.add_column("provider_gates", sa.Column("closed_seconds", sa.Float(), nullable=True))


def _teams_of_tokens() -> None:
    """Tokens and sessions name the teams for which jobs may be submitted with them; those that are there name none."""
    for table in ("access_tokens", "web_sessions"):
        op.add_column(table, sa.Column("teams", sa.Text(), nullable=True))


def _hand_over_deaths() -> None:
    """In whose hand-over the process died, and how often in a row."""
    op.create_table(
        "hand_over_deaths",
        sa.Column("job_id", sa.String(length=64), primary_key=True),
        sa.Column("deaths", sa.Integer(), nullable=False),
    )


def _users_of_events() -> None:
    """An event says whose job it is about; until now only a job's first one did."""
    op.execute(
        """
        UPDATE events SET data = json_set(events.data, '$.user_id', jobs.user_id) FROM jobs
        WHERE jobs.job_id = events.job_id
        AND CASE WHEN json_valid(events.data) THEN json_extract(events.data, '$.user_id') IS NULL ELSE 0 END
        """
    )


def _signals() -> None:
    """The signal that ended a job's program, so that whoever waits for it can exit as a shell would."""
    op.add_column("jobs", sa.Column("signal", sa.Integer(), nullable=True))
