"""What approval rules need to know: which configured rule an override was made for, and which jobs were removed.

Of the overrides that are there already the former is not known: they apply to the rule of their id, as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a column and two tables."""
    op.add_column("approval_rules", sa.Column("overrides", sa.Text(), nullable=True))
    op.create_table("submitters", sa.Column("user_id", sa.String(length=255), primary_key=True))
    op.create_table(
        "removed_jobs",
        sa.Column("job_id", sa.String(length=64), primary_key=True),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("removed_jobs_by_user", "removed_jobs", ["user_id", "created_at"])
    op.create_index("removed_jobs_by_age", "removed_jobs", ["created_at"])
