"""The envelope, which travels with a message, and the envelope that is being handled now.

A task inherits the context of the task that started it, never the sender's. So what must follow a message (the
correlation ID, the message that caused it) is in the envelope, and the receiver binds it while it handles that message.
"""

from __future__ import annotations

import itertools
import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from actors.kernel.calls import ReplyPort

next_envelope_id = itertools.count(1).__next__


# Not frozen: one is made for every message, and a frozen class takes twice as long.
@attrs.define(eq=False, weakref_slot=False)
class Envelope:
    """One message on its way. Never changed once it is made; two envelopes are equal only if they are the same one.

    ``correlation_id``: the request that all this belongs to (A14). ``causation_id``, ``sender``: the envelope whose
    handling sent this one, and the name of the actor that handled it. ``reply``: where a call waits, None for a cast.
    ``attempt``: from 1, one more for each redelivery. ``time``: trio seconds at which it was made. ``id``: a whole
    number, unique in this process.
    """

    message: Any
    correlation_id: str
    causation_id: int | None
    sender: str | None
    reply: ReplyPort | None
    attempt: int
    time: float
    id: int

    @classmethod
    def of(cls, message: Any, correlation_id: str, sender: str | None = None) -> Envelope:
        """One that is made now, and not by an actor that is handling a message."""
        return cls(message, correlation_id, None, sender, None, 1, trio.current_time(), next_envelope_id())

    @property
    def deadline(self) -> float:
        """The trio time after which the message is skipped and reported: a call's deadline, else infinity."""
        return math.inf if self.reply is None else self.reply.deadline

    def copy(self) -> Envelope:
        """The same message for one more receiver, under an ``id`` of its own and without a reply."""
        cause, sender = self.causation_id, self.sender
        return Envelope(self.message, self.correlation_id, cause, sender, None, 1, self.time, next_envelope_id())

    def again(self) -> Envelope:
        """The next attempt under the same ``id``, without a reply and without a deadline."""
        return attrs.evolve(self, reply=None, attempt=self.attempt + 1)


class Handling:
    """The message that an actor is handling.

    There is one object for each incarnation, bound in the context of its task once and changed for each message, which
    costs a tenth of setting a context variable. An actor with a nursery binds a new one for each message, because the
    tasks that it starts may outlive the handling.
    """

    __slots__ = ("actor", "envelope", "name")

    def __init__(self, actor: object = None, name: str | None = None) -> None:
        self.actor = actor  # whose reference, None outside actors
        self.name = name
        self.envelope: Envelope | None = None


handling: ContextVar[Handling] = ContextVar("greenroom_handling", default=Handling())  # noqa: B039 - never written to


def current_envelope() -> Envelope | None:
    """The envelope that is being handled here, also in tasks that were started while handling it; None elsewhere."""
    return handling.get().envelope
