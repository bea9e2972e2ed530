"""Messages that were not handled, as plain data: dead letters, and quarantined messages that crashed their actor."""

from __future__ import annotations

from typing import Any

import trio

from actors.jobs import maxima
from actors.jobs.refusal import RefusalKind, Refused
from actors.kernel import ActorDown, Envelope, MailboxFull, Registry

_LONGEST = 200


class DeadLetters:
    """Messages that the actors of one ``registry`` did not handle; ``age`` is in seconds."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def undelivered(self) -> list[dict[str, Any]]:
        """Messages that reached no actor, the oldest first."""
        return [
            {**_message(letter.envelope, letter.actor, letter.at), "reason": letter.reason[: maxima.REASON]}
            for letter in self._registry.dead_letters
        ]

    def quarantine(self) -> list[dict[str, Any]]:
        """Messages whose handling crashed their actor, the oldest first."""
        return [
            {
                **_message(kept.envelope, kept.actor, kept.at),
                "cause": kept.cause[: maxima.REASON],
                "attempt": kept.attempt,
            }
            for kept in self._registry.quarantine
        ]

    def replay(self, message_id: int) -> None:
        """Send a quarantined message to its actor once more. Raises :class:`Refused`; the message then stays in
        quarantine.
        """
        try:
            self._registry.quarantine.replay(message_id)
        except KeyError:
            raise _unknown(message_id) from None
        except (ActorDown, MailboxFull) as error:
            raise Refused(f"message {message_id} stays in quarantine: {error}", RefusalKind.UNAVAILABLE) from error

    def drop(self, message_id: int) -> None:
        """Delete a quarantined message. Raises :class:`Refused` if there is none of this id."""
        try:
            self._registry.quarantine.drop(message_id)
        except KeyError:
            raise _unknown(message_id) from None


def _message(envelope: Envelope, actor: str, at: float) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "actor": actor,
        "sender": envelope.sender,
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
        "message_type": type(envelope.message).__name__,
        "message": repr(envelope.message)[:_LONGEST],
        "age": round(trio.current_time() - at, 3),
    }


def _unknown(message_id: int) -> Refused:
    return Refused(f"there is no message {message_id} in quarantine", RefusalKind.NOT_FOUND)
