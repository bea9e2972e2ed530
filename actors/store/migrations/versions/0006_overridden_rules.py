"""Which configured rule an override of an approval rule was made for.

Of the overrides that are there already this is not known: they apply to the rule of their id, as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    op.add_column("approval_rules", sa.Column("overrides", sa.Text(), nullable=True))
