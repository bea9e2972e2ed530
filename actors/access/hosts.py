"""The names of hosts: those of this server (DNS rebinding), loopback, and origins of pages that change something."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


class AllowedHosts:
    """The names under which a server answers: this machine's loopback names, and ``more``. Ports do not matter."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in (*_LOOPBACK, *more))

    def allows(self, host: str | None) -> bool:
        """Whether a request with this Host header is meant for this server; a request without one never is."""
        found = None if host is None else _HOST.fullmatch(host)
        return found is not None and found["name"].lower().rstrip(".") in self._names


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def same_origin(origin: str, host: str, *, any_port: bool = False) -> bool:
    """Whether the page at ``origin`` came from the server that was addressed as ``host``.

    The scheme is not compared, because a proxy that ends TLS sends unencrypted requests to us. ``any_port``: for a
    second server of ours under the same name, such as the event feed. ``null``, which sandboxed pages send, never
    matches.
    """
    scheme, separator, rest = origin.partition("://")
    usual = _PORTS.get(scheme.lower())
    theirs, ours = _HOST.fullmatch(rest), _HOST.fullmatch(host)
    if not separator or usual is None or theirs is None or ours is None:
        return False
    if theirs["name"].lower().rstrip(".") != ours["name"].lower().rstrip("."):
        return False
    return any_port or (theirs["port"] or usual) == (ours["port"] or usual)
