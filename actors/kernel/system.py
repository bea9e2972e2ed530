"""System messages: seen by an actor before anything that is queued."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from actors.kernel.calls import ReplyPort
from actors.kernel.envelope import Envelope
from actors.kernel.overflow import MailboxStatistics


@attrs.frozen
class Stop:
    """End: after what is queued now (``drain``), or after the message in hand."""

    drain: bool


@attrs.frozen
class Suspend:
    """Handle nothing until :class:`Resume`; system messages are still seen."""


@attrs.frozen
class Resume:
    """Go on after :class:`Suspend`."""


@attrs.frozen
class Inspect:
    """Say how you are, to ``reply``."""

    reply: ReplyPort


@attrs.frozen
class Inspection:
    """What an actor says of itself between two messages; ``details`` is what its ``describe()`` returned."""

    actor: str
    incarnation: int
    suspended: bool
    mailbox: MailboxStatistics
    details: Mapping[str, Any]


#: Stands in the queue behind the last message that a draining stop still handles. It stays there over a crash.
LAST = Envelope("the last message before a draining stop", correlation_id="", deadline=-math.inf, time=0.0, id=0)
