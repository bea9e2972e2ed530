"""Ports for servers that cannot choose one themselves, and addresses at which nobody listens."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_LOWEST = 20_000
"""Ray gives 10002 to 19999 to its workers, and refuses to start if another of its ports is among them."""


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nobody has now, all different.

    They are below those that the kernel gives to whoever asks for any, so that none of the many servers and clients
    that other tests start takes one before it is used.
    """
    above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.SystemRandom().sample(range(_LOWEST, above), above - _LOWEST):
            if len(found) == number:
                break
            with suppress(OSError):
                one = stack.enter_context(socket.socket())
                one.bind(("127.0.0.1", port))
                found.append(port)
    return found


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that nobody else gets during the block, and at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
