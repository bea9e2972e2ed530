"""The expiry actor: ends approval requests that are past their deadline."""

from __future__ import annotations

import attrs
from attrs.validators import gt


@attrs.frozen
class ExpiryOptions:
    """``interval_seconds``: how often to sweep beside waking at each deadline itself (B15)."""

    interval_seconds: float = attrs.field(default=300.0, validator=gt(0))
