"""An exception as text: the usual traceback, with causes, notes and every leaf of a group, within a limit.

This does not use `traceback.TracebackException`, which calls foreign code unguarded in places, shows at most 15 leaves
of a group, and has no bound. Local variables of frames are never shown, because they contain secrets.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType, TracebackType

from logconf.masking import mask_text
from logconf.sanitize import ForeignCode, Limits, clean_text, text_of, type_name

_FIRST_FRAMES, _LAST_FRAMES = 20, 40  # a recursion's thousand frames say nothing more
_LONGEST_CHAIN = 30
_DEEPEST_GROUP = 12
_LEAVES_LISTED = 500
_SHORTEST_LEAF, _LONGEST_LEAF = 16, 160  # characters of a listed leaf
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n"


def render_exception(error: BaseException, budget: int) -> str:
    """The traceback of `error`, masked, in at most `budget` characters; never raises.

    If it is too long, its middle is cut, and every leaf of a group is then listed by type and message.
    """
    lines: list[str] = []
    spent = 0
    whole = True
    for text in _chain(error, set(), 0):
        lines.append(text)
        spent += len(text) + 1
        if spent > 4 * budget:  # enough to cut from; the rest would only cost time
            whole = False
            break
    full = mask_text("\n".join(lines))
    if whole and len(full) <= budget:
        return _utf8(full)
    return _shortened(error, full, budget)


def traces_of(record: logging.LogRecord, limits: Limits, *, include_stack_info: bool) -> tuple[str | None, str | None]:
    """The record's exception and its stack as clean texts, None where there is none.

    With `include_stack_info` a record of ERROR and above has its caller's stack even if the call did not ask for it.
    """
    exception: str | None = None
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) and len(record.exc_info) == 3 else None
    if isinstance(error, BaseException):
        exception = render_exception(error, limits.exception)
    elif record.exc_text:
        exception = clean_text(text_of(record.exc_text), limits.exception)
    stack: str | None = record.stack_info
    if stack:
        stack = clean_text(text_of(stack), limits.exception // 3)
    elif include_stack_info and record.levelno >= logging.ERROR:
        stack = render_stack(limits.exception // 3)
    return exception, stack or None


def _shortened(error: BaseException, full: str, budget: int) -> str:
    leaves = [leaf for group in _groups(error) for leaf in _iterate_leaves(group)]
    tail = _listed(leaves, budget // 2) if leaves else ""
    last = mask_text("\n".join(_last_lines(error)))[: budget // 8]
    head = max(0, budget - len(tail) - len(last) - 80)
    return _utf8(f"{full[:head]}\n… [cut: {len(full) - head} or more characters]\n{last}{tail}")


def _groups(error: BaseException) -> Iterator[BaseException]:
    """The groups among `error` and its causes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < _LONGEST_CHAIN:
        seen.add(id(current))
        if isinstance(current, BaseExceptionGroup):
            yield current
        cause = current.__cause__
        current = cause if cause is not None or current.__suppress_context__ else current.__context__


def _listed(leaves: Sequence[BaseException], budget: int) -> str:
    """A line for each leaf, as long as the number of leaves allows."""
    lines: list[str] = []
    length, spent = max(_SHORTEST_LEAF, min(_LONGEST_LEAF, budget // len(leaves) - 3)), 0
    for leaf in leaves[:_LEAVES_LISTED]:
        if spent >= budget:
            break
        text = " ".join(_last_lines(leaf)).replace("\n", "\\n")
        line = mask_text(text[:_LONGEST_LEAF])[:length]
        lines.append(line)
        spent += len(line) + 3
    more = f"\n  … [cut: {len(leaves) - len(lines)} more leaves]" if len(leaves) > len(lines) else ""
    return f"\nAll {len(leaves)} leaves:\n  " + "\n  ".join(lines) + more


def _iterate_leaves(group: BaseException) -> Iterator[BaseException]:
    stack, seen = [group], set()
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup) and id(error) not in seen:
            seen.add(id(error))
            stack.extend(reversed(error.exceptions))
        elif not isinstance(error, BaseExceptionGroup):
            yield error


def _chain(error: BaseException, seen: set[int], depth: int) -> Iterator[str]:
    """The lines of `error` and of its causes, oldest first."""
    chain: list[tuple[BaseException, str]] = []
    current: BaseException | None = error
    link = ""
    while current is not None and id(current) not in seen and len(chain) < _LONGEST_CHAIN:
        seen.add(id(current))
        chain.append((current, link))
        if isinstance(current.__cause__, BaseException):
            current, link = current.__cause__, _CAUSE
        elif isinstance(current.__context__, BaseException) and not current.__suppress_context__:
            current, link = current.__context__, _CONTEXT
        else:
            current = None
    if current is not None and id(current) not in seen:
        yield "… [cut: earlier causes]"
    for exception, link_after in reversed(chain):
        yield from _one(exception, seen, depth)
        if link_after:
            yield link_after


def _one(error: BaseException, seen: set[int], depth: int) -> Iterator[str]:
    is_group = isinstance(error, BaseExceptionGroup)
    if error.__traceback__ is not None:
        kind = "Exception Group Traceback" if is_group else "Traceback"
        yield f"{kind} (most recent call last):"
        yield from _frames(error.__traceback__)
    yield from _last_lines(error)
    if not isinstance(error, BaseExceptionGroup):
        return
    if depth >= _DEEPEST_GROUP:
        for leaf in _iterate_leaves(error):
            yield "  | " + "\n  | ".join(_last_lines(leaf))
        return
    for number, inner in enumerate(error.exceptions, 1):
        yield f"  +---------------- {number} ----------------"
        for text in _chain(inner, seen, depth + 1):
            yield "  | " + text.replace("\n", "\n  | ")


def _frames(tb: TracebackType) -> Iterator[str]:
    steps: list[tuple[FrameType, int]] = list(traceback.walk_tb(tb))
    shown: Sequence[tuple[FrameType, int]] = steps
    hidden = len(steps) - _FIRST_FRAMES - _LAST_FRAMES
    if hidden > 0:
        shown = steps[:_FIRST_FRAMES]
    yield from _formatted(shown)
    if hidden > 0:
        yield f"  … [cut: {hidden} frames]"
        yield from _formatted(steps[-_LAST_FRAMES:])


def _formatted(steps: Sequence[tuple[FrameType, int]]) -> Iterator[str]:
    try:
        shown = traceback.StackSummary.extract(iter(steps)).format()
    except Exception:  # noqa: BLE001 - border: a module's __loader__ is asked for its source and may raise anything
        shown = [
            f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}' for frame, line in steps
        ]
    for text in shown:
        yield text.rstrip("\n")


def _last_lines(error: BaseException) -> list[str]:
    """`module.Type: message` and the notes; a syntax error with its line and caret."""
    with ForeignCode():
        str(error)  # what it raises is to be seen here; the standard library hides it
        text = "".join(traceback.format_exception_only(error)).rstrip("\n")
        return clean_text(text, 12_288).split("\n")
    return clean_text(f"{type_name(error)}: {text_of(error)}", 12_288).split("\n")


def render_stack(budget: int) -> str:
    """The stack of the code that called the logger, frames of `logging` and of this package left out."""
    frame: FrameType | None = sys._getframe(1)
    package = __name__.partition(".")[0] + "."
    while frame is not None and (
        frame.f_code.co_filename == logging._srcfile or str(frame.f_globals.get("__name__", "")).startswith(package)
    ):
        frame = frame.f_back
    if frame is None:
        return ""
    steps = list(traceback.walk_stack(frame))[:_LAST_FRAMES]
    text = "Stack (most recent call last):\n" + "\n".join(_formatted(steps[::-1]))
    return clean_text(text, budget)


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
