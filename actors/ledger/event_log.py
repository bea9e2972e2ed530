"""One log line for each event, under the correlation ID of its job (A14)."""

from __future__ import annotations

import logging

from actors.jobs.events import EventType
from actors.jobs.records import Event
from logconf import bind_correlation_id, get_logger, log_from

_logger = get_logger("actors.ledger")

_LEVELS = logging.getLevelNamesMapping()
# A host that configured the standard library's logging itself gets an exception for these names in `extra`.
_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def log_event(event: Event) -> None:
    """Log ``event`` as its type says: what happened as the message, which job and what else in ``extra``."""
    kind = EventType(event.type)
    level = _LEVELS[kind.level]
    if not _logger.isEnabledFor(level):
        return
    with bind_correlation_id(event.correlation_id):
        extra = {name: value for name, value in event.data.items() if name not in _RESERVED}
        extra |= {"event": event.type, "event_seq": event.seq}
        if event.job_id is not None:
            extra["job_id"] = event.job_id
        log_from(event.origin, _logger, level, kind.log_text.format_map(event.data), extra=extra)
