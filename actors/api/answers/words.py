"""What the answers share."""

from __future__ import annotations

from typing import Annotated, Any

Moment = Annotated[str, "date-time"]
"""A time, in UTC with milliseconds and ``Z``."""

Document = dict[str, Any]
"""An object of which no more is promised than that it is one."""
