"""One log line for each event, under the correlation ID of its job (A14)."""

from __future__ import annotations

import logging

from actors.jobs.records import Event
from logconf import bind_correlation_id, get_logger, log_from

_logger = get_logger("actors.ledger")

# A host that configured the standard library's logging itself gets an exception for these names in `extra`.
_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

# Levels and sentences by event type; what is not here reads as its type in words, at INFO.
_WARNINGS = frozenset({"job_uncertain", "job_outcome_unknown", "provider_paused", "queue_paused"})
_DETAILS = frozenset({"job_progress"})
_SENTENCES = {"approval_expired": "Approval request expired"}


def log_event(event: Event) -> None:
    """Log ``event``: what happened as the message, which job and what else in ``extra``."""
    level = logging.WARNING if event.type in _WARNINGS else logging.DEBUG if event.type in _DETAILS else logging.INFO
    if not _logger.isEnabledFor(level):
        return
    with bind_correlation_id(event.correlation_id):
        extra = {name: value for name, value in event.data.items() if name not in _RESERVED}
        extra |= {"event": event.type, "event_seq": event.seq}
        if event.job_id is not None:
            extra["job_id"] = event.job_id
        log_from(event.origin, _logger, level, describe(event), extra=extra)


def describe(event: Event) -> str:
    """What happened, in words for people."""
    if event.type == "job_status_changed":
        return f"Job is now {event.data.get('status')}"
    return _SENTENCES.get(event.type) or event.type.replace("_", " ").capitalize()
