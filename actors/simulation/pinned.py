"""Everything that could differ between two runs of one seed is made the same; what cannot be is refused.

Trio's scheduler draws from the seed (two private names, see :func:`supervision.testing.deterministic_scheduling`), and
so do ``os.urandom`` and through it identifiers, tokens and jitter. Garbage is collected between runs only. Threads,
other processes and connections would bring an order of their own: an audit hook refuses them while a simulation runs.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import stamina
import stamina.instrumentation

from supervision.testing import deterministic_scheduling

_REFUSED = frozenset(
    {
        "_thread.start_new_thread", "_thread.start_joinable_thread", "subprocess.Popen", "os.fork", "os.forkpty",
        "os.posix_spawn", "os.system", "os.exec", "socket.connect", "socket.bind", "socket.getaddrinfo",
        "socket.gethostbyname", "socket.sendto",
    }
)  # fmt: skip

_refusing = False
_hooked = False


class NotSimulated(RuntimeError):
    """The code under simulation started a thread, a process or a connection."""


def _hook(event: str, _arguments: tuple[Any, ...]) -> None:
    if _refusing and event in _REFUSED:
        raise NotSimulated(f"{event}: a simulation has no threads, no processes and no connections")


@contextlib.contextmanager
def refusing_the_outside() -> Iterator[None]:
    """Inside the block, starting a thread, a process or a connection raises :class:`NotSimulated`."""
    global _refusing, _hooked
    start = threading.Thread.start
    if not _hooked:
        sys.addaudithook(_hook)  # a hook cannot be removed, so a flag decides whether it acts
        _hooked = True
    _refusing = True
    setattr(threading.Thread, "start", _no_thread)  # noqa: B010 - there is no audit event for it before Python 3.12
    try:
        yield
    finally:
        _refusing = False
        setattr(threading.Thread, "start", start)  # noqa: B010


def _no_thread(self: threading.Thread) -> None:
    _hook("_thread.start_new_thread", ())


def source(seed: int, purpose: str) -> random.Random:
    """The stream of random numbers for one purpose. Another purpose may draw more or less without moving this one."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - repeatable on purpose; a str seeds by its SHA-512


@contextlib.contextmanager
def collected_at_the_end() -> Iterator[None]:
    """No garbage is collected inside the block; at its end that is, which was made in it, and nothing else is looked
    through. As a decorator of a function it also finds what only that function's call held.
    """
    collecting, freezing = gc.isenabled(), not gc.get_freeze_count()
    gc.disable()
    if freezing:
        gc.freeze()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        gc.collect()
        if freezing:
            gc.unfreeze()


@contextlib.contextmanager
def pinned(seed: int, now: Callable[[], float]) -> Iterator[None]:
    """Make runs equal inside the block; ``now`` gives the seconds that ``time.time()`` returns meanwhile."""
    noise = source(seed, "noise")
    before: Any = os.urandom, random._urandom, time.time  # type: ignore[attr-defined]
    level = logging.root.manager.disable
    os.urandom = random._urandom = noise.randbytes  # type: ignore[attr-defined]
    time.time = now
    logging.disable(logging.WARNING)  # errors are listened to, see `crashes`; the rest costs and decides nothing
    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks(())  # they print, where structlog is installed
    stamina.set_testing(True, attempts=2, cap=True)  # its waits are real ones
    try:
        with deterministic_scheduling(seed), refusing_the_outside():
            yield
    finally:
        stamina.set_testing(False)
        stamina.instrumentation.set_on_retry_hooks(hooks)
        logging.disable(level)
        os.urandom, random._urandom, time.time = before  # type: ignore[attr-defined]
