"""Correlation IDs at the borders of the process: making one, accepting one from outside, and W3C Trace Context.

Format: https://www.w3.org/TR/trace-context/ (traceparent). A new ID is 32 lower-case hex characters, which makes it a
trace id too, so that a line here and a span elsewhere have the same name.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Mapping

CORRELATION_HEADER = "X-Correlation-ID"
TRACEPARENT_HEADER = "traceparent"
JOB_VARIABLE = "GREENROOM_CORRELATION_ID"
"""Of the environment of a job: the job's ID."""

_ACCEPTED = re.compile(r"[A-Za-z0-9._:\-/+=]{1,128}")
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<rest>-.*)?"
)
_logger = logging.getLogger("logconf.correlation")


def new_correlation_id() -> str:
    """A new random ID: 32 lower-case hex characters (128 bits)."""
    return os.urandom(16).hex()


def is_correlation_id(text: str) -> bool:
    """Whether a text has the form of an ID: 1 to 128 characters of `A-Z a-z 0-9 . _ : - / + =`."""
    return _ACCEPTED.fullmatch(text) is not None


def accept_correlation_id(raw: object, *, level: int = logging.WARNING) -> str:
    """`raw` (str, or bytes from a header) if it is a valid ID, else a new one.

    An ID from outside may have 1 to 128 characters of `A-Z a-z 0-9 . _ : - / + =`.

    A rejection is logged at ``level`` with the length of the value but never with the value: it may contain line
    breaks, data of another tenant, or a secret.
    """
    value = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    if isinstance(value, str) and is_correlation_id(value):
        return str(value)
    replacement = new_correlation_id()
    length = len(value) if isinstance(value, str) else None
    _logger.log(
        level,
        "Rejected a correlation ID from outside, using a new one",
        extra={"rejected_length": length, "rejected_type": type(raw).__name__, "replacement": replacement},
    )
    return replacement


def trace_id_from_traceparent(raw: object) -> str | None:
    """The trace id of a `traceparent` header (str or bytes); None if the header is not valid."""
    value = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    if not isinstance(value, str) or len(value) > 512:
        return None
    match = _TRACEPARENT.fullmatch(value.strip(" \t"))
    if match is None or (match["version"] == "00" and match["rest"]):
        return None
    return match["trace"]


def traceparent_for(correlation_id: str) -> str:
    """An outgoing `traceparent` whose trace id is the correlation ID, with a new random parent id, sampled.

    An ID that is not 32 lower-case hex characters is mapped to the first 16 bytes of its SHA-256: the same ID gives the
    same trace everywhere.
    """
    trace_id = correlation_id
    if not _TRACE_ID.fullmatch(correlation_id):
        trace_id = hashlib.sha256(correlation_id.encode("utf-8", "surrogatepass")).digest()[:16].hex()
    parent = os.urandom(8).hex()
    if parent == "0" * 16:
        parent = "0" * 15 + "1"  # all zeros means "invalid"
    return f"00-{trace_id}-{parent}-01"


HeaderValue = str | bytes


def correlation_id_from_headers(
    headers: Mapping[str, str] | Iterable[tuple[HeaderValue, HeaderValue]],
) -> str:
    """The ID with which a request came.

    It is `X-Correlation-ID` in any case, else the trace id of `traceparent`, else a new one. `headers` is a mapping or
    pairs, of str or bytes (as in ASGI). An invalid `X-Correlation-ID` is replaced by a new ID, logged at DEBUG because
    anybody may send one; `traceparent` is used only without that header.
    """
    pairs: Iterable[tuple[HeaderValue, HeaderValue]] = headers.items() if isinstance(headers, Mapping) else headers
    traceparent: HeaderValue | None = None
    for name, value in pairs:
        lowered = (name.decode("latin-1") if isinstance(name, bytes) else name).lower()
        if lowered == "x-correlation-id":
            return accept_correlation_id(value, level=logging.DEBUG)
        if lowered == "traceparent" and traceparent is None:
            traceparent = value
    return trace_id_from_traceparent(traceparent) or new_correlation_id()
