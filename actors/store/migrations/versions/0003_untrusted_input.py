"""What the limits on untrusted input need in the store; each function below adds the columns of one subject."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables, one subject after the other."""
    _signals()


def _signals() -> None:
    """The signal that ended a job's program, so that whoever waits for it can exit as a shell would."""
    op.add_column("jobs", sa.Column("signal", sa.Integer(), nullable=True))
