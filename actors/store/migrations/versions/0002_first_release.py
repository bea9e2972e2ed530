"""The schema of 0.1.0, with which migrations begin.

No released version left an older database, and a new one is built by :mod:`actors.store.revision` without migrations.
"""

from __future__ import annotations

revision = "0002"
down_revision = None


def upgrade() -> None:
    """Never called for a database that a released version left."""
    raise RuntimeError("a database older than that of Greenroom 0.1.0 cannot be migrated")
