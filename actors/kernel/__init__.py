"""Actors: the mechanism, which knows nothing of jobs. References, mailboxes, the loop, timers, the bus, the clock.

    class Greeter(Actor):
        async def handle(self, message):
            return f"hello {message}"

    greeter = ActorRef("greeter")
    async with open_supervisor([actor_spec(greeter, Greeter)]):
        print(await greeter.call("world"))

Guarantees: ``docs/semantics.md``.
"""

from __future__ import annotations

from actors.kernel.actor import Actor
from actors.kernel.actor_cell import Down, Inspection, Monitor
from actors.kernel.bus import Bus, Subscription
from actors.kernel.calls import ErrorReply
from actors.kernel.clock import Clock, SystemClock, VirtualClock
from actors.kernel.dead_letters import DeadLetter, DeadLetters, Quarantine, Quarantined
from actors.kernel.envelope import Envelope, current_envelope
from actors.kernel.errors import ActorDown, ActorError, CallTimeout, CallToSelf, MailboxFull, UnknownActor
from actors.kernel.mailbox import Mailbox, MailboxStatistics, Overflow
from actors.kernel.ref import ActorRef
from actors.kernel.registry import Registry
from actors.kernel.runner import actor_spec, run_actor
from actors.kernel.ticking import Tick, TickingActor
from actors.kernel.timers import Timer

__all__ = [
    "Actor",
    "ActorDown",
    "ActorError",
    "ActorRef",
    "Bus",
    "CallTimeout",
    "CallToSelf",
    "Clock",
    "DeadLetter",
    "DeadLetters",
    "Down",
    "Envelope",
    "ErrorReply",
    "Inspection",
    "Mailbox",
    "MailboxFull",
    "MailboxStatistics",
    "Monitor",
    "Overflow",
    "Quarantine",
    "Quarantined",
    "Registry",
    "Subscription",
    "SystemClock",
    "Tick",
    "TickingActor",
    "Timer",
    "UnknownActor",
    "VirtualClock",
    "actor_spec",
    "current_envelope",
    "run_actor",
]
