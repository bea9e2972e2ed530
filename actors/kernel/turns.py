"""Long work in the event loop, in pieces: everybody else is served between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")
_AT_ONCE = 50


class InTurns(Generic[T]):
    """``items``, with a checkpoint after every :data:`_AT_ONCE` of them.

    No generator, which would have to be closed where it is left early.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._left = enumerate(items)

    def __aiter__(self) -> InTurns[T]:
        return self

    async def __anext__(self) -> T:
        for number, item in self._left:
            if number and number % _AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            return item
        raise StopAsyncIteration
