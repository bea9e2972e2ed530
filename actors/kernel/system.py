"""System messages: seen by an actor before anything that is queued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from actors.kernel.calls import ReplyPort
from actors.kernel.mailbox import MailboxStatistics


@attrs.frozen
class Stop:
    """End: after what is queued now (``drain``), or after the message in hand."""

    drain: bool


@attrs.frozen
class Suspend:
    """Handle nothing from now on but system messages (``suspended``), or go on."""

    suspended: bool


@attrs.frozen
class Inspect:
    """Answer ``reply`` with an :class:`Inspection`."""

    reply: ReplyPort


@attrs.frozen
class Inspection:
    """An actor's state between two messages; ``details`` is what its ``describe()`` returned."""

    actor: str
    incarnation: int
    suspended: bool
    mailbox: MailboxStatistics
    details: Mapping[str, Any]


#: The message that stands in the queue behind the last one that a draining stop still handles.
DRAIN_MARKER = object()
