"""The answer to a request: its caller waits for it, and the supervisor keeps it with the child until then."""

from __future__ import annotations

import attrs
import trio

from supervision.errors import SupervisionError
from supervision.snapshots import ChildInfo


@attrs.define(eq=False)
class Reply:
    """An answer or a refusal, given once. `correlation_id` is the caller's."""

    correlation_id: str | None
    done: trio.Event = attrs.field(factory=trio.Event, init=False)
    _result: ChildInfo | None = attrs.field(default=None, init=False)
    _error: SupervisionError | None = attrs.field(default=None, init=False)

    def answer(self, result: ChildInfo | None = None) -> None:
        """The request is done."""
        self._result = result
        self.done.set()

    def refuse(self, error: SupervisionError) -> None:
        """The request cannot be done, or failed."""
        self._error = error
        self.done.set()

    async def wait(self) -> ChildInfo | None:
        """Wait for the answer; raises the refusal."""
        await self.done.wait()
        if self._error is not None:
            raise self._error
        return self._result
