"""The environment variables that are read, and their values; and what is noted while settings are put together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs

from actors.jobs.quantities import wait_of
from actors.settings.variable_names import APPROVAL_INTERVAL, POLL_INTERVAL
from actors.validation import CheckedError
from logconf.setup import LEVELS


class SettingsError(CheckedError):
    """The settings are wrong; ``faults`` and the message have every fault, with its place."""


@attrs.frozen
class Note:
    """Something noticed before logging was configured. ``level`` is one of :mod:`logging`'s numbers."""

    level: int
    message: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)


INTERVALS: Mapping[str, str] = {
    "job_status_polling": POLL_INTERVAL,
    "approval_expiration": APPROVAL_INTERVAL,
}
"""By section of ``background``: the variable with its interval in seconds."""
TRANSPORT = ("SIMPLETUNER_HTTP_TIMEOUT", "SIMPLETUNER_CA_BUNDLE", "SIMPLETUNER_SSL_VERIFY")
LOG_DEFAULTS: Mapping[str, str | None] = {
    "SIMPLETUNER_LOG_LEVEL": "INFO",
    "SIMPLETUNER_LOG_FORMAT": "json",
    "SIMPLETUNER_LOG_FILE": None,
}
LOG_VALUES: Mapping[str, tuple[str, ...]] = {
    "SIMPLETUNER_LOG_LEVEL": tuple(level.lower() for level in LEVELS),
    "SIMPLETUNER_LOG_FORMAT": ("json", "text"),
}
"""What is known, in small letters; with anything else the default holds."""


def seconds(name: str, environ: Mapping[str, str], notes: list[Note]) -> float | None:
    """The variable as a duration above 0; None without it, and with a note where it is something else."""
    text = environ.get(name)
    if text is None:
        return None
    try:
        return wait_of(text.strip())
    except ValueError as error:
        message = f"{name} {error}: it is ignored"
        notes.append(Note(logging.WARNING, message, {"variable": name, "given": text[:200]}))
        return None


def transport(environ: Mapping[str, str], notes: list[Note]) -> None:
    """Note what is wrong with the variables that say how providers are reached, and that TLS is not checked."""
    if not any(name in environ for name in TRANSPORT):
        return
    from actors.http_client import transport_options  # httpx costs 64 ms, and most have none of these variables

    _, warnings = transport_options(environ)
    notes.extend(Note(logging.WARNING, text, {"variable": text.split(maxsplit=1)[0].rstrip(":")}) for text in warnings)
