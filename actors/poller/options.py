"""What can be set about polling."""

from __future__ import annotations

import attrs
from attrs.validators import ge, gt


@attrs.frozen
class PollerOptions:
    """``enabled``: timed polling on, off, or automatic (None), see B6. ``interval_seconds``: its beat (B7)."""

    enabled: bool | None = None
    interval_seconds: float = attrs.field(default=30.0, validator=gt(0))
    safety_net_seconds: float = attrs.field(default=0.0, validator=ge(0))
