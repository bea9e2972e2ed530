"""Notifications for systemd: ready, alive, stopping (sd_notify(3), without libsystemd).

A service manager that starts this with ``Type=notify`` names a datagram socket in ``NOTIFY_SOCKET``. The variable is
removed from the environment, so that no job can notify in our name. With ``WatchdogSec=`` a notification is due every
``WATCHDOG_USEC``. It is sent only while the actors live and rows can be read, so that a supervisor that hangs, or one
without its scheduler, is killed and started again. Running jobs continue meanwhile and are found again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from actors.control.runtime import Runtime
from actors.store.errors import StoreError
from logconf import get_logger

if TYPE_CHECKING:
    from actors.runtime import RunningRuntime

VITAL = frozenset({"store", "scheduler", "poller", "expiry"})
"""Children without which the runtime does not work."""
_DEAD = frozenset({"parked", "stopped", "finished", "overrun"})
_LOOK_SECONDS = 10.0
"""Seconds between two status lines, if no watchdog needs them more often."""
_ANSWER_SECONDS = 5.0
"""The most seconds for one look at the rows."""
_logger = get_logger("actors.cli.systemd")


class Notifier:
    """Sends to the service manager's socket, if there is one. ``watchdog``: its period in seconds, or None."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", None)
        self.watchdog = _watchdog(environ)
        if self._address is not None and self._address.startswith("@"):  # an abstract socket begins with a NUL
            self._address = "\0" + self._address[1:]

    @property
    def is_enabled(self) -> bool:
        """Whether there is a service manager to notify."""
        return self._address is not None

    def notify(self, **fields: str) -> None:
        """Send ``NAME=value`` lines. If the manager does not accept them, that is a WARNING, never a failure."""
        if self._address is None:
            return
        text = "\n".join(f"{name}={value}" for name, value in fields.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as ours:
                ours.connect(self._address)
                ours.send(text.encode())
        except OSError as error:
            _logger.warning("The service manager cannot be notified of %s: %s", ", ".join(fields), error.strerror)


def _watchdog(environ: MutableMapping[str, str]) -> float | None:
    period, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(os.getpid()))
    return int(period) / 1e6 if period.isdigit() and int(period) and pid == str(os.getpid()) else None


@asynccontextmanager
async def notify_systemd(runtime: RunningRuntime, notifier: Notifier) -> AsyncIterator[None]:
    """Send READY at the beginning of the block, STOPPING at its end, and watchdog notifications in between."""
    if not notifier.is_enabled:
        yield
        return
    async with trio.open_nursery() as nursery:
        notifier.notify(READY="1", STATUS=await _status(runtime) or "ready", MAINPID=str(os.getpid()))
        nursery.start_soon(_live, runtime, notifier)
        # A process that the manager then kills leaves this as its last words.
        runtime.loop_stalls.listeners.append(lambda text: notifier.notify(STATUS=text))
        try:
            yield
        finally:
            notifier.notify(STOPPING="1", STATUS="stopping: jobs go on running")
            nursery.cancel_scope.cancel()


async def _live(runtime: Runtime, notifier: Notifier) -> None:
    """Send a watchdog notification twice in each period, as systemd advises."""
    pause = min(_LOOK_SECONDS, (notifier.watchdog or 2 * _LOOK_SECONDS) / 2)
    while True:
        status = await _status(runtime)
        if status is None:
            notifier.notify(STATUS="not alive: no watchdog message is sent")
        elif notifier.watchdog is None:
            notifier.notify(STATUS=status)
        else:
            notifier.notify(WATCHDOG="1", STATUS=status)
        await trio.sleep(pause)


async def _status(runtime: Runtime) -> str | None:
    """The state of the runtime in one line; None if it does not work."""
    dead = sorted(dead_among(runtime.tree.describe()))
    if dead:
        _logger.error("The watchdog message was not sent: %s", ", ".join(dead))
        return None
    with trio.move_on_after(_ANSWER_SECONDS):
        try:
            health = await runtime.health.check()
        except StoreError as error:
            _logger.error("The watchdog message was not sent: %s", error)
            return None
        return "; ".join(health.reasons)[:200] or "ok"
    _logger.error("The watchdog message was not sent: rows cannot be read within %g s", _ANSWER_SECONDS)
    return None


def dead_among(tree: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Vital children that neither run nor are being started again, as ``id is state``."""
    for node in tree:
        if node["id"] in VITAL and node["state"] in _DEAD:
            yield f"{node['id']} is {node['state']}"
        yield from dead_among(node.get("children") or ())
