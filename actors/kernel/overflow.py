"""What a full mailbox does, and what a mailbox counts."""

from __future__ import annotations

from enum import StrEnum

import attrs

from supervision.checks import guess


class Overflow(StrEnum):
    """What happens to a message that finds the mailbox full.

    ``block``: an async sender waits, a sync one gets :class:`MailboxFull`. ``reject``: both get it.
    ``drop_oldest``, ``drop_newest``: somebody's message is dropped and counted; an actor's goes to the dead
    letters.
    """

    BLOCK = "block"
    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


@attrs.frozen
class MailboxStatistics:
    """A snapshot. ``received = taken + depth + `` what was dropped after it had been queued."""

    capacity: int
    depth: int
    high_water: int
    taken: int
    coalesced: int
    dropped: int
    rejected: int
    waiting_senders: int


def overflow_policy(value: str) -> Overflow:
    """The policy of that name. Raises ValueError, with a guess, for an unknown one."""
    try:
        return Overflow(value)
    except ValueError:
        known = [policy.value for policy in Overflow]
        hint = guess(value, known) or f"; known: {', '.join(known)}"
        raise ValueError(f"unknown overflow policy {value!r}{hint}") from None
