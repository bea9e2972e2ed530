"""Tables of the runtime itself: events and counters, keys, gates, settings, deliveries received."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from actors.store.dialect import partial_index
from actors.store.schema.metadata import metadata
from actors.store.types import BigId, JSONText, UTCDateTime

events = Table(
    "events",
    metadata,
    Column("seq", BigId, primary_key=True, autoincrement=False),
    Column("time", UTCDateTime, nullable=False),
    Column("type", String(64), nullable=False),
    Column("job_id", String(64)),
    Column("correlation_id", String(128), nullable=False),
    Column("data", JSONText, nullable=False),
    Index("events_by_job", "job_id", "seq"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigId, nullable=False),
)

status_counts = Table(
    "status_counts",
    metadata,
    Column("kind", String(16), primary_key=True),  # the name of the table that is counted
    Column("status", String(16), primary_key=True),
    Column("number", BigId, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", String(255), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("job_id", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    Column("kept_with_job", Boolean, nullable=False, server_default="0"),  # valid for as long as the job is kept
    partial_index("idempotency_by_age", "created_at", where="NOT kept_with_job"),
    Index("idempotency_by_job", "job_id"),
)

provider_gates = Table(
    "provider_gates",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("paused_reason", Text),
    Column("closed_until", UTCDateTime),
    Column("closed_reason", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("closed_seconds", Float),  # how long the wait is that ends at closed_until
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", JSONText, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),
    Column("changed_by", String(255)),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("delivery_id", String(255), primary_key=True),
    Column("received_at", UTCDateTime, nullable=False),
    Index("deliveries_by_age", "received_at"),
)
