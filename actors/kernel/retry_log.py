"""Logging of our own retries: in our log, under the correlation ID of the work, and nowhere else (A20).

stamina's hooks apply to the whole process, and its default prints to stdout if structlog is installed. So retries of
this package are logged here, and never by the hooks of others; retries of others go to their hooks as before, and never
here.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

import attrs
from stamina.instrumentation import RetryDetails, RetryHook, get_on_retry_hooks, set_on_retry_hooks

from logconf import get_logger

_logger = get_logger("actors.kernel.retry_log")
_lock = threading.Lock()


@attrs.frozen
class _ForOthers:
    """A hook that was there before, for the retries that are not ours."""

    hook: RetryHook

    def __call__(self, details: RetryDetails) -> AbstractContextManager[None] | None:
        return None if _is_ours(details) else self.hook(details)


def ensure_retry_log() -> None:
    """Install our hook, if it is missing. Call it before a retry: setting hooks anew removes ours."""
    if _log_retry in get_on_retry_hooks():
        return
    with _lock:
        hooks = get_on_retry_hooks()
        if _log_retry not in hooks:
            set_on_retry_hooks((*map(_ForOthers, hooks), _log_retry))


def _is_ours(details: RetryDetails) -> bool:
    return type(details.caused_by).__module__.startswith("actors.")


def _log_retry(details: RetryDetails) -> None:
    if _is_ours(details):
        _logger.info(
            "Trying again in %.1f s: %s", details.wait_for, details.caused_by, extra={"tries": details.retry_num}
        )
