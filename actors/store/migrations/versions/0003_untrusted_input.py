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
    _teams_of_tokens()


def _teams_of_tokens() -> None:
    """Tokens and sessions name the teams for which jobs may be submitted with them; those that are there name none."""
    for table in ("access_tokens", "web_sessions"):
        op.add_column(table, sa.Column("teams", sa.Text(), nullable=True))
