"""Errors between a sender and an actor. Each says whose fault it is, and carries what was sent or asked."""

from __future__ import annotations

from typing import Any

import trio


class ActorError(Exception):
    """Anything that the kernel refuses or reports."""


class MailboxFull(ActorError):
    """The receiver is too slow and its mailbox is full; ``message`` was not delivered."""

    def __init__(self, message: Any, capacity: int, actor: str = "") -> None:
        whose = f" of {actor!r}" if actor else ""
        super().__init__(f"the mailbox{whose} holds its {capacity} messages and takes no more")
        self.message = message
        self.capacity = capacity
        self.actor = actor


class ActorDown(ActorError):
    """The actor cannot answer: it is gone, or it failed while it handled this message.

    ``reason`` is one word: ``failed``, ``stopped``, ``parked``, ``finished``, ``interrupted`` (stopped in the middle of
    this message), ``dropped`` (pushed out of its mailbox) or ``unknown``. The exception that ended the actor is the
    ``__cause__``.
    """

    def __init__(self, actor: str, reason: str, cause: BaseException | None = None) -> None:
        said = f": {type(cause).__name__}: {cause}" if cause is not None else ""
        super().__init__(f"actor {actor!r} is down ({reason}){said}")
        self.actor = actor
        self.reason = reason
        self.__cause__ = cause


class UnknownActor(ActorDown):
    """No actor has this name."""

    def __init__(self, actor: str, suggestion: str | None = None) -> None:
        super().__init__(actor, "unknown")
        self.suggestion = suggestion
        if suggestion:
            self.add_note(f"did you mean {suggestion!r}?")


class CallTimeout(ActorError, trio.TooSlowError):
    """There was no reply in time. Work that has begun continues; its late reply is dropped.

    ``seconds``: the default deadline; None: the deadline of the call had passed when its turn came, so it was skipped.
    """

    def __init__(self, actor: str, seconds: float | None) -> None:
        if seconds is None:
            text = f"actor {actor!r} skipped the call: its deadline had passed before its turn came"
        else:
            text = (
                f"actor {actor!r} did not reply within {seconds:g} s, the default; "
                f"a scope with a deadline around the call sets another: with trio.fail_after(...)"
            )
        super().__init__(text)
        self.actor = actor
        self.seconds = seconds


class CallToSelf(ActorError):
    """An actor called itself: it would wait for a reply that only it can give."""

    def __init__(self, actor: str) -> None:
        super().__init__(f"actor {actor!r} calls itself and would wait for ever; call the method, or cast")
        self.actor = actor
