"""`open_supervisor`: a supervisor for the length of a block."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import ParamSpec

import outcome
import trio

from supervision.errors import combined
from supervision.supervisor import Supervisor

Options = ParamSpec("Options")


class _Session:
    """One nursery with one task in it, which keeps the supervisor running while the block is open.

    That task is shielded as soon as the supervisor is ready, so that an outer cancellation reaches the block alone; it
    is released, by cancelling its own scope, when the block has unwound. (A class, not a generator: KeyboardInterrupt
    could strike inside contextlib, where nothing protects it.)
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._hold = trio.CancelScope()
        self._block = trio.CancelScope()
        self._settled = trio.Event()
        self._ready = False
        self._error: BaseException | None = None
        self._nursery = trio.open_nursery()

    async def _held(self) -> None:
        with self._hold:
            result = await outcome.acapture(self._supervisor._run, self._note_ready, self._block.cancel)
            if isinstance(result, outcome.Error) and not isinstance(result.error, trio.Cancelled):
                self._error = result.error  # kept from the scope, which would rebuild a group
            else:
                result.unwrap()

    def _note_ready(self) -> None:
        self._ready = True
        self._hold.shield = True
        self._settled.set()

    @trio.lowlevel.enable_ki_protection
    async def _keep(self) -> None:
        try:
            await self._held()
        finally:
            self._settled.set()

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> Supervisor:
        nursery = await self._nursery.__aenter__()
        nursery.start_soon(self._keep)
        settled = await outcome.acapture(self._settled.wait)
        if self._ready and isinstance(settled, outcome.Value):
            self._block.__enter__()
            return self._supervisor
        error = await self._leave(settled.error if isinstance(settled, outcome.Error) else None)
        assert error is not None, "a supervisor that was never ready has failed"
        raise error

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        closed = outcome.capture(self._block.__exit__, kind, error, traceback)
        if isinstance(closed, outcome.Error):
            left: BaseException | None = closed.error  # what the scope left of a group
        else:
            left = None if closed.value else error
        result = await self._leave(left)  # noqa: ASYNC102 - the supervisor shields its stop and limits it
        if result is None:
            return True
        if result is error:
            return False
        raise result

    async def _leave(self, error: BaseException | None) -> BaseException | None:
        """Let the supervisor stop its children, wait for it, and say what is to be raised."""
        self._hold.shield = False
        self._hold.cancel()
        errors = [] if error is None else [error]
        try:
            await self._nursery.__aexit__(None, None, None)
        except BaseExceptionGroup as group:  # KeyboardInterrupt while we waited
            errors += group.exceptions
        if self._error is not None:
            errors.append(self._error)
        return combined(errors, "the block and its supervisor")


def _opener(make: Callable[Options, Supervisor]) -> Callable[Options, AbstractAsyncContextManager[Supervisor]]:
    @functools.wraps(make, assigned=(), updated=())
    def open_supervisor(*args: Options.args, **options: Options.kwargs) -> AbstractAsyncContextManager[Supervisor]:
        """`async with open_supervisor([...], strategy=...) as supervisor`: the block begins when every child is ready.

        Takes what `Supervisor` takes. When the block is left, for whatever reason, it unwinds first, its children
        still alive; then they are stopped in reverse. When the supervisor gives up, the block is cancelled and what it
        gave up with (see `Supervisor.run`) is raised from it, bare when it is all that went wrong, in one group with
        the block's own exception otherwise. When the supervisor shuts itself down, the block is cancelled and nothing
        is raised.
        """
        return _Session(make(*args, **options))

    return open_supervisor


open_supervisor = _opener(Supervisor)
