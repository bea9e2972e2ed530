"""Actors by name, with the dead letters and the quarantine that they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.kernel.actor_cell import CALL_DEADLINE
from actors.kernel.dead_letters import DeadLetters, Quarantine
from actors.kernel.envelope import Envelope
from actors.kernel.errors import UnknownActor
from actors.kernel.mailbox import Mailbox
from actors.kernel.ref import ActorRef
from logconf import get_correlation_id
from supervision.checks import nearest


class Registry:
    """The references of one runtime. A name stays taken while the actor is down; :meth:`remove` frees it."""

    def __init__(self) -> None:
        self.dead_letters = DeadLetters()
        self.quarantine = Quarantine()
        self._refs: dict[str, ActorRef] = {}

    def __iter__(self) -> Iterator[ActorRef]:
        """The references in the order they were made, as they are now."""
        return iter(list(self._refs.values()))

    def __len__(self) -> int:
        return len(self._refs)

    def __contains__(self, name: str) -> bool:
        return name in self._refs

    def actor(self, name: str, mailbox: Mailbox | None = None, *, call_deadline: float = CALL_DEADLINE) -> ActorRef:
        """A new reference under ``name``. Raises ValueError where the name is taken."""
        if name in self._refs:
            raise ValueError(f"there is an actor named {name!r} already")
        ref = self._refs[name] = ActorRef(
            name, Mailbox() if mailbox is None else mailbox, call_deadline=call_deadline,
            dead_letters=self.dead_letters, quarantine=self.quarantine,
        )  # fmt: skip
        return ref

    def whereis(self, name: str) -> ActorRef:
        """The reference of that name. Raises UnknownActor, with a suggestion."""
        try:
            return self._refs[name]
        except KeyError:
            raise UnknownActor(name, nearest(name, self._refs)) from None

    def cast(self, name: str, message: Any) -> None:
        """``ActorRef.cast`` by name; for an unknown name the message is a dead letter."""
        if name in self._refs:
            self._refs[name].cast(message)
        else:
            self.dead_letters.record(Envelope.of(message, get_correlation_id()), name, "unknown")

    async def call(self, name: str, message: Any) -> Any:
        """``ActorRef.call`` by name; an unknown name raises UnknownActor at once."""
        return await self.whereis(name).call(message)

    def remove(self, name: str) -> None:
        """Remove ``name``; its mailbox is emptied like that of an actor that is gone.

        Raises UnknownActor, and ValueError while the actor runs.
        """
        ref = self.whereis(name)
        if ref.state == "running":
            raise ValueError(f"actor {name!r} runs; stop it first")
        ref.gone("finished")
        del self._refs[name]
