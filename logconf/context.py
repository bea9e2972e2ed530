"""What follows a piece of work through tasks and threads: LogContext fields and the correlation ID.

Both are in contextvars, so a trio task, a nursery's children and `trio.to_thread.run_sync` inherit them and no other
code sees them. When a block is left it removes *its own* entry and restores nothing by token. So blocks that end in
another order than they began (generators), or in another task, neither raise nor bring old fields back.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from logconf.correlation import accept_correlation_id, new_correlation_id

P = ParamSpec("P")
R = TypeVar("R")

_correlation_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("logconf_correlation_id", default=None)


class Frame:
    """One entered LogContext: its owner, the frame below it, and all fields visible from here. Immutable."""

    __slots__ = ("encoded", "fields", "masked_by", "own", "owner", "parent")

    def __init__(self, owner: LogContext, own: dict[str, Any], parent: Frame | None) -> None:
        self.owner = owner
        self.own = own
        self.parent = parent
        self.fields: dict[str, Any] = own if parent is None else {**parent.fields, **own}
        self.encoded: bytes | None = None  # the renderer's cache: a frame never changes,
        self.masked_by: object = None  # but the registered secrets do


_frame: contextvars.ContextVar[Frame | None] = contextvars.ContextVar("logconf_fields", default=None)

#: For the renderers, which read both on every line.
current_frame: Callable[[], Frame | None] = _frame.get
current_correlation_id: Callable[[], str | None] = _correlation_id.get
#: For mailboxes: binds, until the next call, an ID that was checked when it entered the process, or None for "no ID".
set_checked_correlation_id: Callable[[str | None], object] = _correlation_id.set


class LogContext:
    """`with LogContext(job_id=job_id): ...`: every line logged inside the block has the fields under `extra`.

    A plain `with` block, for sync and async code. Blocks nest; an inner field hides an outer one of the same name until
    its block is left, and a call's own `extra=` hides both. Any name is allowed as a field. One instance may be entered
    several times, also by several tasks at once. Leaving never raises.
    """

    __slots__ = ("_fields",)

    def __init__(self, /, **fields: Any) -> None:
        self._fields = fields

    def __enter__(self) -> LogContext:
        _frame.set(Frame(self, self._fields, _frame.get()))
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        frame = _frame.get()
        if frame is not None and frame.owner is self:
            _frame.set(frame.parent)
        else:
            _frame.set(_without(frame, self))


def _without(top: Frame | None, owner: LogContext) -> Frame | None:
    """The chain below `top` without the innermost frame of `owner`; `top` itself if there is none."""
    above: list[Frame] = []
    frame = top
    while frame is not None and frame.owner is not owner:
        above.append(frame)
        frame = frame.parent
    if frame is None:
        return top
    rest = frame.parent
    for kept in reversed(above):
        rest = Frame(kept.owner, kept.own, rest)
    return rest


def get_correlation_id() -> str:
    """The correlation ID of this task or thread. If there is none, a new one is made and kept."""
    current = _correlation_id.get()
    if current is None:
        current = new_correlation_id()
        _correlation_id.set(current)
    return current


def set_correlation_id(correlation_id: str) -> str:
    """Give this task, and the tasks that it starts from now on, the ID of the request for which it works.

    The value may come directly from a header: what `accept_correlation_id` refuses is replaced by a new ID, with a
    WARNING. Returns the ID that is in effect from now on.
    """
    accepted = accept_correlation_id(correlation_id)
    _correlation_id.set(accepted)
    return accepted


def clear_correlation_id() -> None:
    """Forget the ID: the next line or `get_correlation_id()` makes a new one."""
    _correlation_id.set(None)


class bind_correlation_id:  # noqa: N801 - read as a verb in `with bind_correlation_id(...)`, like contextlib's own
    """`with bind_correlation_id(envelope.correlation_id): handle(envelope)`: the ID is in effect inside the block only.

    Made for mailboxes: there is no check, and no allocation beyond the block itself. `None` binds "no ID": a new one is
    made when a line needs it, and is forgotten with the block.
    """

    __slots__ = ("_id", "_token")

    def __init__(self, correlation_id: str | None) -> None:
        self._id = correlation_id

    def __enter__(self) -> None:
        self._token = _correlation_id.set(self._id)

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        with contextlib.suppress(ValueError):  # closed in another context (a generator): nothing was bound in this one
            _correlation_id.reset(self._token)


def clear_context() -> None:
    """Remove every LogContext field and the correlation ID from this context, and nothing else.

    A long-lived child calls this first; otherwise all its lines would have the fields of the request that started it.
    """
    _frame.set(None)
    _correlation_id.set(None)


def fresh_context() -> contextvars.Context:
    """A copy of this context without LogContext fields and correlation ID; other libraries' variables stay."""
    context = contextvars.copy_context()
    context.run(clear_context)
    return context


def carry_context(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap `function` for a plain thread or an executor: it runs with the present fields and the present ID.

    `threading.Thread(target=carry_context(work)).start()`. Each call runs in a copy of its own: calls may overlap, and
    the next call does not see what one has bound. (`trio.to_thread.run_sync` needs no wrapper.)
    """
    get_correlation_id()  # an ID made later, by each side for itself, would break the trail
    context = contextvars.copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.copy().run(function, *args, **kwargs)

    return carried
