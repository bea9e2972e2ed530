"""Long work in the event loop, in pieces: everybody else is served between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import attrs
import trio

T = TypeVar("T")
_AT_ONCE = 50


@attrs.define
class InTurns(Generic[T]):
    """``items``, with a checkpoint after every :data:`_AT_ONCE` of them.

    No generator, which would have to be closed where it is left early.
    """

    items: Iterable[T]
    _left: Iterator[T] = attrs.field(init=False)
    _number: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin."""
        self._left = iter(self.items)

    def __aiter__(self) -> InTurns[T]:
        return self

    async def __anext__(self) -> T:
        if self._number and self._number % _AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
        self._number += 1
        try:
            return next(self._left)
        except StopIteration:
            raise StopAsyncIteration from None
