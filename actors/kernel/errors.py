"""What can go wrong between a sender and an actor.

Each error says whose fault it is and carries what was sent or asked.
"""

from __future__ import annotations

from typing import Any

import trio


class ActorError(Exception):
    """Anything that the kernel refuses or reports."""


class MailboxFull(ActorError):
    """The receiver is behind and its mailbox takes no more; ``message`` is what was not delivered."""

    def __init__(self, message: Any, capacity: int, actor: str = "") -> None:
        whose = f" of {actor!r}" if actor else ""
        super().__init__(f"the mailbox{whose} holds its {capacity} messages and takes no more")
        self.message = message
        self.capacity = capacity
        self.actor = actor


class ActorDown(ActorError):
    """The actor cannot answer: it is gone, or it died while it handled this very message.

    ``reason`` is one word: ``failed``, ``stopped``, ``parked``, ``finished``, ``interrupted`` (stopped in the
    middle of this message), ``dropped`` (pushed out of its mailbox) or ``unknown``. What the actor died of is
    ``__cause__``.
    """

    def __init__(self, actor: str, reason: str, cause: BaseException | None = None) -> None:
        said = f": {type(cause).__name__}: {cause}" if cause is not None else ""
        super().__init__(f"actor {actor!r} is down ({reason}){said}")
        self.actor = actor
        self.reason = reason
        self.__cause__ = cause


class UnknownActor(ActorDown):
    """Nobody has that name."""

    def __init__(self, actor: str, guess: str | None = None) -> None:
        super().__init__(actor, "unknown")
        self.guess = guess
        if guess:
            self.add_note(f"did you mean {guess!r}?")


class CallTimeout(ActorError, trio.TooSlowError):
    """No reply within the default deadline. The work goes on; its late reply is dropped."""

    def __init__(self, actor: str, seconds: float) -> None:
        super().__init__(
            f"actor {actor!r} did not reply within {seconds:g} s, the default; "
            f"a scope with a deadline around the call sets another: with trio.fail_after(...)"
        )
        self.actor = actor
        self.seconds = seconds


class CallToSelf(ActorError):
    """An actor called itself: it would wait for a reply that only it can give."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"actor {actor!r} calls itself and would wait for ever; call the method, or cast")
        self.actor = actor
