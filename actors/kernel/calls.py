"""The caller's side of a call: a reply port with one slot."""

from __future__ import annotations

from typing import Any

import attrs
import trio


@attrs.define
class ErrorReply:
    """What a handler returns to answer with an error on purpose.

    The caller gets ``error`` raised, the actor lives.
    """

    error: Exception


class ReplyPort:
    """Holds the one reply to one call. The first answer counts; a later one finds nobody and says so."""

    __slots__ = ("_done", "_reply")

    def __init__(self) -> None:
        self._reply: Any = None
        self._done = trio.Event()

    def answer(self, reply: Any) -> bool:
        """Deliver ``reply`` (or raise the error of an :class:`ErrorReply`); False when nobody waits any more."""
        if self._done.is_set():
            return False
        self._reply = reply
        self._done.set()
        return True

    def fail(self, error: Exception) -> bool:
        """Raise ``error`` in the caller; False when nobody waits any more."""
        return self.answer(ErrorReply(error))

    async def wait(self) -> Any:
        """The reply. Raises what the port was failed with."""
        try:
            await self._done.wait()
        finally:
            self._done.set()  # where the caller was cancelled: a late reply is dropped
        if isinstance(self._reply, ErrorReply):
            raise self._reply.error
        return self._reply
