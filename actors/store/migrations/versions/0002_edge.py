"""Tags of lanes, deliveries that were seen, rules changed at run time, access tokens and browser sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from actors.store.types import BigId, JSONText, UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.add_column("lanes", sa.Column("tag", BigId, nullable=True))
    op.create_table(
        "webhook_deliveries",
        sa.Column("provider", sa.String(length=64), primary_key=True),
        sa.Column("delivery_id", sa.String(length=255), primary_key=True),
        sa.Column("received_at", UTCDateTime(), nullable=False),
    )
    op.create_index("deliveries_by_age", "webhook_deliveries", ["received_at"])
    op.create_table(
        "approval_rules",
        sa.Column("rule_id", BigId, primary_key=True, autoincrement=False),
        sa.Column("rule", JSONText(), nullable=True),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=255), nullable=True),
    )
    _access()


def _access() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("token_id", sa.String(length=64), primary_key=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=False, unique=True),
        sa.Column("name", sa.String(length=255), nullable=False, server_default=""),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("org_id", sa.String(length=255), nullable=True),
        sa.Column("level", sa.String(length=32), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
    )
    op.create_table(
        "web_sessions",
        sa.Column("secret_hash", sa.String(length=64), primary_key=True),
        sa.Column("token_id", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("org_id", sa.String(length=255), nullable=True),
        sa.Column("level", sa.String(length=32), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
    )
    op.create_index("sessions_by_age", "web_sessions", ["expires_at"])


def downgrade() -> None:
    """Drop them."""
    for name in ("web_sessions", "access_tokens", "approval_rules", "webhook_deliveries"):
        op.drop_table(name)
    with op.batch_alter_table("lanes") as lanes:
        lanes.drop_column("tag")
