"""An actor: one mailbox, one message at a time, its own state. Cast tells, call asks; a crash takes the state along.

Run it: `python examples/02_call_and_cast.py`.
"""

from __future__ import annotations

import logging

import attrs
import trio

from actors.kernel import Actor, ActorDown, ActorRef, Mailbox, actor_spec
from supervision import open_supervisor


@attrs.frozen
class Deposit:
    """Put so much in."""

    amount: int


@attrs.frozen
class Balance:
    """Ask how much there is."""


class Account(Actor):
    """Messages are plain values; what `handle` returns is the reply to a call."""

    def __init__(self) -> None:
        self.balance = 0

    async def handle(self, message: object) -> int:
        """One message at a time, so the balance needs no lock."""
        match message:
            case Deposit(amount) if amount < 0:
                raise ValueError("a deposit is never negative")  # unexpected: crash, and let the supervisor decide
            case Deposit(amount):
                self.balance += amount
        return self.balance


async def main() -> None:
    """Tell, ask, crash, and ask again."""
    # The reference exists before its actor and outlives it: give it to whoever needs it.
    account = ActorRef("account", Mailbox(capacity=64))
    async with open_supervisor([actor_spec(account, Account)]):
        account.cast(Deposit(10))  # returns at once; handled in the order of sending
        account.cast(Deposit(5))
        print("balance", await account.call(Balance()))

        with trio.move_on_after(1):  # the caller's own deadline; without one a call ends after 5 s with CallTimeout
            print("balance", await account.call(Deposit(1)))

        try:
            await account.call(Deposit(-1))
        except ActorDown as down:
            print("down:", down.__cause__)

        # The supervisor has started a new incarnation from a fresh Account; the mailbox is the same.
        print("balance", await account.call(Balance()))


if __name__ == "__main__":
    logging.disable()  # the crash above is on purpose, and would be told at length
    trio.run(main)
