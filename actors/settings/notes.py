"""What was noticed while settings were put together, and what makes that impossible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from actors.validation import CheckedError


class SettingsError(CheckedError):
    """The settings are wrong; ``faults`` and the message hold everything that is, with places."""


@attrs.frozen
class Note:
    """Something noticed before logging was configured. ``level`` is one of :mod:`logging`'s numbers."""

    level: int
    message: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)
