"""An actor has a mailbox and its own state. `cast` sends, `call` waits for a reply; a crash loses the state.

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
    """Add `amount` to the balance."""

    amount: int


@attrs.frozen
class Balance:
    """Get the balance."""


class Account(Actor):
    """Messages are plain values; the value that `handle` returns is the reply to a call."""

    def __init__(self) -> None:
        self.balance = 0

    async def handle(self, message: object) -> int:
        """Messages are handled one at a time, so the balance needs no lock."""
        match message:
            case Deposit(amount) if amount < 0:
                raise ValueError("a deposit is never negative")  # a bug of the sender: crash; the supervisor decides
            case Deposit(amount):
                self.balance += amount
        return self.balance


async def main() -> None:
    """Cast, call, crash, and call again."""
    # The reference exists before its actor and outlives it: pass it to the code that needs it.
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

        # The supervisor has started a new incarnation with a new Account; the mailbox is the same.
        print("balance", await account.call(Balance()))


if __name__ == "__main__":
    logging.disable()  # the crash above is on purpose, and its traceback would be logged
    trio.run(main)
