"""Alembic's entry: runs the migrations on the connection that the store hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from actors.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
