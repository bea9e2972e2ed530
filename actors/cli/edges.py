"""The edges of a supervisor that runs as a service: its socket, HTTP, the event feed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from actors.access.hosts import HostList
from actors.access.peer import Peer
from actors.api.peers import user_name
from actors.api.tcp import http_edge, tls_context
from actors.api.unix import socket_edge

if TYPE_CHECKING:
    from actors.runtime import RunningRuntime
    from actors.settings import Settings
    from supervision import ChildSpec


def edges_of(runtime: RunningRuntime, settings: Settings) -> list[ChildSpec]:
    """What listens, as the settings say. Raises ``OSError`` where the feed's certificate cannot be read."""
    http, feed = settings.http, settings.feed
    edges = [socket_edge(runtime, settings.state_dir, http)]
    if http.enabled:
        edges.append(http_edge(runtime, settings.state_dir, http, feed_port=feed.port if feed.enabled else None))
    if feed.enabled:
        from actors.feed.server import feed_edge

        hosts = HostList((feed.host, *http.allowed_hosts))
        edges.append(feed_edge(runtime, feed, runtime.access.token_peer, hosts, tls_context(http)))
    return edges


def sign_in_link(runtime: RunningRuntime) -> str | None:
    """A link with which whoever sees this terminal signs in, once, within five minutes; None: HTTP is not served."""
    access = runtime.access
    if access.address is None:
        return None
    return f"{access.address}#code={access.code_for(Peer(os.getuid(), user_name(os.getuid())))}"
