"""The ends of a process: exit, SIGTERM, fork; and SIGHUP, which asks for the log file anew.

Signal handlers are installed only where the default action holds, so an application's own stay. What they do is safe in
the middle of a logging call: a flag, or a thread that drains while the interrupted code goes on and lets go of its
locks.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from types import FrameType

from logconf.handler import StructuredHandler

_FORK_DRAIN_SECONDS = 1.0

_installed: StructuredHandler | None = None
_hooked = False


def installed_handler() -> StructuredHandler | None:
    """The handler of the last `configure_structured_logging`, or None."""
    return _installed


def drain_at_exit(handler: StructuredHandler | None, *, reopen_on_hangup: bool = False) -> None:
    """Make `handler` the one that is drained at the process's end. Signals are left alone outside the main thread."""
    global _installed, _hooked
    _installed = handler
    if handler is None:
        return
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_terminate)
    if reopen_on_hangup and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _on_hangup)


def _at_exit() -> None:
    if _installed is not None:
        _installed.close()


def _on_terminate(signum: int, frame: FrameType | None) -> None:
    """Drain, then die of the signal as the process would have; a second one ends it at once."""
    signal.signal(signum, signal.SIG_DFL)

    def drain_and_die() -> None:
        if _installed is not None:
            _installed.flush()
        os.kill(os.getpid(), signum)

    try:
        threading.Thread(target=drain_and_die, name="logconf-drain", daemon=True).start()
    except RuntimeError:  # the interpreter is ending: its own exit drains
        os.kill(os.getpid(), signum)


def _on_hangup(signum: int, frame: FrameType | None) -> None:
    if _installed is not None:
        for writer in _installed.writers:
            writer.reopen()


def _before_fork() -> None:
    """Parents that daemonise end by `os._exit`: what they have logged goes out first."""
    if _installed is not None:
        _installed.flush(_FORK_DRAIN_SECONDS)


def _after_fork_in_child() -> None:
    if _installed is not None:
        for writer in _installed.writers:
            writer.after_fork_in_child()
