"""Structured logs with correlation IDs, for the standard library's loggers.

    from logconf import LogContext, get_logger, init_from_env

    init_from_env()                                # SIMPLETUNER_LOG_LEVEL, _FORMAT, _FILE
    logger = get_logger(__name__)                  # a plain logging.Logger
    with LogContext(job_id=job_id, provider="replicate"):
        logger.info("Starting job", extra={"attempt": 1})

Each line is one JSON object: `timestamp, level, logger, message, correlation_id, source, extra`, then `exception`,
`stack_info`, `trace_id`, `span_id` where they apply. A logging call never raises and never waits for the sink.
A library or an embedded runtime configures nothing: it logs, and the application decides.
"""

from logconf.context import (
    LogContext,
    bind_correlation_id,
    carry_context,
    clear_context,
    clear_correlation_id,
    fresh_context,
    get_correlation_id,
    set_correlation_id,
)
from logconf.correlation import (
    accept_correlation_id,
    correlation_id_from_headers,
    new_correlation_id,
    trace_id_from_traceparent,
    traceparent_for,
)
from logconf.masking import register_secret
from logconf.records import CorrelationIDFilter, Origin, find_origin, log_from
from logconf.setup import configure_structured_logging, flush, get_logger, init_from_env, statistics

__all__ = [
    "CorrelationIDFilter",
    "LogContext",
    "Origin",
    "accept_correlation_id",
    "bind_correlation_id",
    "carry_context",
    "clear_context",
    "clear_correlation_id",
    "configure_structured_logging",
    "correlation_id_from_headers",
    "find_origin",
    "flush",
    "fresh_context",
    "get_correlation_id",
    "get_logger",
    "init_from_env",
    "log_from",
    "new_correlation_id",
    "register_secret",
    "set_correlation_id",
    "statistics",
    "trace_id_from_traceparent",
    "traceparent_for",
]
