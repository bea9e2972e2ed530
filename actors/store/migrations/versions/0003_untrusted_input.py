"""What the limits on untrusted input need in the store; each function below adds the columns of one subject."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables, one subject after the other."""
