"""An actor that notes, crashes and waits as it is told."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from actors.kernel import Actor, ActorDown, ActorRef, actor_spec
from supervision import Backoff

SLOW_RESTART = Backoff(initial=2.0, jitter=False)


class Worker(Actor):
    """Notes what it handles; an exception as message crashes it, an event is waited for."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    async def handle(self, message: Any) -> Any:
        self.seen.append(message)
        if isinstance(message, BaseException):
            raise message
        if isinstance(message, trio.Event):
            await message.wait()
        return message


def worker(ref: ActorRef, seen: list[Any], **options: Any) -> Any:
    return actor_spec(ref, lambda: Worker(seen), **options)


async def ask(ref: ActorRef, errors: list[ActorDown]) -> None:
    with pytest.raises(ActorDown) as caught:
        await ref.call("queued")
    errors.append(caught.value)
