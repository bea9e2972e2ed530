"""What the kernel binds for the handling of one message: the correlation ID and the envelope.

The setter is the context variable's own: IDs in envelopes were checked when they entered the process, and a
checked setter, or a block with a token, would cost as much as sending the message does.
"""

from __future__ import annotations

from logconf.context import _correlation_id, current_correlation_id, get_correlation_id
from logconf.correlation import new_correlation_id

set_checked_id = _correlation_id.set

__all__ = ["current_correlation_id", "get_correlation_id", "new_correlation_id", "set_checked_id"]
