"""Deliveries, verified as https://www.standardwebhooks.com says (v1: HMAC-SHA256) and read; pure.

Not by the reference library: it reads the clock itself, and what it raises for a delivery that cannot be read is not
always its own error. It is the yardstick of the tests.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from actors.providers.base import PushEvent, Rejected
from actors.providers.errors import Protocol
from actors.providers.job_json import json_value
from actors.providers.replicate.reading import observation_of, remote_id

TOLERANCE = 300
"""Seconds by which a delivery may be old, or ahead of our clock."""

MOST_SIGNATURES = 16
"""In one header: a sender that rotates its secret needs two."""

_PREFIX = "whsec_"
_LONGEST_ID = 255  # as it is stored


def parse_push(
    headers: Mapping[str, str], body: bytes, secrets: Iterable[str], now: datetime, usd_per_second: float | None
) -> PushEvent | Rejected:
    """The event of a delivery that is signed with one of ``secrets``; everything else is rejected, nothing raises."""
    delivery, sent_at, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not delivery or len(delivery) > _LONGEST_ID or not delivery.isprintable() or not delivery.isascii():
        return Rejected("webhook-id is missing or no id")
    if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 15):
        return Rejected("webhook-timestamp is missing or no number of seconds")
    if abs(int(sent_at) - now.timestamp()) > TOLERANCE:
        return Rejected(f"webhook-timestamp differs from our clock by more than {TOLERANCE} s")
    given = list(_signatures(signatures))
    if not given:
        return Rejected("webhook-signature has none of version 1")
    signed = f"{delivery}.{sent_at}.".encode() + body
    if not any(_matches(secret, signed, given) for secret in secrets):
        return Rejected("the signature is not by a secret of ours")
    return _event(delivery, body, now, usd_per_second)


def _signatures(header: str) -> Iterable[bytes]:
    """What stands behind the ``v1,`` of each element; an element that cannot be read is none."""
    for element in header.split(" ")[:MOST_SIGNATURES]:
        version, _, text = element.partition(",")
        decoded = _decoded(text) if version == "v1" else None
        if decoded:
            yield decoded


def _matches(secret: str, signed: bytes, given: Sequence[bytes]) -> bool:
    key = _decoded(secret.strip().removeprefix(_PREFIX))
    if not key:
        return False
    expected = hmac.new(key, signed, hashlib.sha256).digest()
    return any(hmac.compare_digest(expected, one) for one in given)


def _decoded(text: str) -> bytes | None:
    """Base 64 with or without its padding; None for whatever is none."""
    bare = text.strip().rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _event(delivery: str, body: bytes, now: datetime, usd_per_second: float | None) -> PushEvent | Rejected:
    try:
        told: Any = json_value(body)
        if not isinstance(told, dict):
            return Rejected("the body is no JSON object")
        return PushEvent(delivery, remote_id(told.get("id")), observation_of(told, now, usd_per_second))
    except (ValueError, Protocol) as error:
        return Rejected(f"the body cannot be read: {error}")
