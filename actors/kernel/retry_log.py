"""How our own retries are told: in our log, under the correlation ID of the work, and nowhere else (A20).

stamina's hooks are the whole process's, and its default prints to stdout where structlog is installed, whoever
installed it. So what this package retries is told here, and never by the hooks of others; what others retry is told by
their hooks as before, never here.
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


def tell_our_own() -> None:
    """See to it that our retries are told by us. To be called before one: whoever sets hooks anew sets ours aside."""
    if _tell in get_on_retry_hooks():
        return
    with _lock:
        hooks = get_on_retry_hooks()
        if _tell not in hooks:
            set_on_retry_hooks((*map(_ForOthers, hooks), _tell))


def _is_ours(details: RetryDetails) -> bool:
    return type(details.caused_by).__module__.startswith("actors.")


def _tell(details: RetryDetails) -> None:
    if _is_ours(details):
        _logger.info(
            "Trying again in %.1f s: %s", details.wait_for, details.caused_by, extra={"tries": details.retry_num}
        )
