"""Reads deliveries and verifies them as https://www.standardwebhooks.com says (v1: HMAC-SHA256). It has no side
effects.

The reference library is used in tests only: it reads the clock itself, needs the whole body at once, and does not
always raise its own error for a delivery that cannot be read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from actors.providers.deliveries import DeliveryEvent, DeliveryHint, DeliveryReport, Rejected
from actors.providers.errors import Protocol
from actors.providers.json_reading import read_json, repeats_a_key
from actors.providers.replicate.reading import observation_of, remote_id

TOLERANCE = 300
"""Seconds by which a delivery may be old, or ahead of our clock."""

MOST_SIGNATURES = 16
"""In one header: a sender that rotates its secret needs two."""

MOST_SECRETS = 16
"""That a delivery is checked with."""

_PREFIX = "whsec_"
_LONGEST_ID = 255  # as it is stored
_BLANK = re.compile(r"[ \t\r\n]*")


def read_delivery(
    headers: Mapping[str, str],
    secrets: Iterable[str],
    now: datetime,
    usd_per_second: float | None,
    *,
    claims: bool = True,
) -> Reading | Rejected:
    """Begin to read a delivery. ``claims``: whether its observation of the job is passed on."""
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
    keys = [key for secret in list(secrets)[:MOST_SECRETS] if (key := _decoded(secret.strip().removeprefix(_PREFIX)))]
    computed = [hmac.new(key, f"{delivery}.{sent_at}.".encode(), hashlib.sha256) for key in keys]
    return Reading(delivery, given, computed, now, usd_per_second, claims)


@attrs.frozen
class Reading:
    """One delivery while it comes in. Its signature is computed with each key (``computed``), piece by piece.

    ``given``: the signatures in its headers. ``claims``: whether its observation of the job is passed on.
    """

    delivery: str
    given: Sequence[bytes]
    computed: Sequence[hmac.HMAC]
    now: datetime
    usd_per_second: float | None
    claims: bool

    def add(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        for one in self.computed:
            one.update(piece)

    def done(self, kept: bytes, size: int) -> DeliveryReport:
        """Return what the delivery was, from the beginning of its body, or from all of it."""
        expected = [one.digest() for one in self.computed]
        if not any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in self.given):
            return Rejected("the signature is not by a secret of ours")
        if size > len(kept):
            return self._hint(kept, f"it has {size} bytes, of which the first {len(kept)} are kept")
        if repeats_a_key(kept):
            return self._hint(kept, "it names something twice")
        try:
            body: Any = read_json(kept)
        except ValueError as error:
            return self._hint(kept, f"it cannot be read: {error}")
        return self._event(body)

    def _event(self, body: Any) -> DeliveryEvent | Rejected:
        try:
            job_id = remote_id(body.get("id") if isinstance(body, dict) else None)
        except Protocol as error:
            return Rejected(f"the body cannot be read: {error}")
        try:
            seen = observation_of(body, self.now, self.usd_per_second) if self.claims else None
        except Protocol:
            seen = None  # the job itself is asked
        return DeliveryEvent(self.delivery, job_id, seen)

    def _hint(self, kept: bytes, why: str) -> DeliveryHint:
        return DeliveryHint(self.delivery, why, _id_at_the_beginning(kept))


def _signatures(header: str) -> Iterable[bytes]:
    """Yield the signature after ``v1,`` of each element. An element that cannot be read is skipped."""
    for element in header.split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]:
        version, _, text = element.partition(",")
        decoded = _decoded(text) if version == "v1" else None
        if decoded:
            yield decoded


def _decoded(text: str) -> bytes | None:
    """Decode Base 64 with or without its padding; None for any other text."""
    bare = text.strip().rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _id_at_the_beginning(kept: bytes) -> str | None:
    """Return the job's id in an object that may be cut anywhere, or None if it is not found, or is named twice."""
    text, decoder, found = kept.decode("utf-8", "replace"), json.JSONDecoder(), []
    try:
        at = _expect(text, 0, "{")
        while True:
            name, at = decoder.raw_decode(text, _expect(text, at))
            value, at = decoder.raw_decode(text, _expect(text, _expect(text, at, ":")))
            if name == "id":
                found.append(remote_id(value))
            at = _expect(text, at, ",")
    except (ValueError, RecursionError):
        return found[0] if len(found) == 1 else None
    except Protocol:
        return None


def _expect(text: str, at: int, mark: str = "") -> int:
    """The place behind ``mark`` and the blanks before it. Raises ``ValueError`` where it is not there."""
    match = _BLANK.match(text, at)
    at = match.end() if match is not None else at
    if not text.startswith(mark, at):
        raise ValueError(f"no {mark!r} at {at}")
    return at + len(mark)
