"""Indexes of the lists and of short ids, counts by status, the text index.

Old rows get their indexes and counts here: seconds for a million jobs. Their texts are put into the text index
afterwards, a batch at a time, while the supervisor works; until then a search looks through the rows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from actors.store import derived

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the indexes, count what is there, then make the triggers that go on counting."""
    op.add_column("jobs", sa.Column("text_place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True))
    op.drop_index("jobs_active", "jobs")
    op.drop_index("jobs_by_user", "jobs")
    op.create_index("jobs_by_status", "jobs", ["status", "job_id"])
    op.create_index("jobs_by_user", "jobs", ["user_id", "status", "job_id", "created_at"])
    op.create_index("jobs_by_provider", "jobs", ["provider", "status", "job_id"])
    op.create_index("jobs_uncertain", "jobs", ["job_id"], sqlite_where=sa.text("uncertain_since IS NOT NULL"))
    placed, not_placed = sa.text("text_place IS NOT NULL"), sa.text(derived.ENDED_NOT_INDEXED)
    op.create_index("jobs_by_text_place", "jobs", ["text_place"], unique=True, sqlite_where=placed)
    op.create_index("jobs_not_in_text_index", "jobs", ["text_place", "job_id"], sqlite_where=not_placed)
    of_one = sa.text("org_id != ''")
    op.create_index("entries_by_organisation", "queue_entries", ["org_id", "job_id"], sqlite_where=of_one)
    op.create_index("approvals_by_status", "approvals", ["status", "approval_id"])
    op.create_table(
        "status_counts",
        sa.Column("kind", sa.String(length=16), primary_key=True),
        sa.Column("status", sa.String(length=16), primary_key=True),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
    )
    for table in derived.COUNTED:
        op.execute(f"INSERT INTO status_counts SELECT '{table}', status, count(*) FROM {table} GROUP BY status")
    derived.create(op.get_bind())
