"""The servers of a supervisor: the socket for its user, HTTP, the event feed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from actors.access.hosts import AllowedHosts
from actors.access.peer import Peer
from actors.api.tcp import http_edge
from actors.api.unix import socket_edge
from actors.api.unix_peer import user_name
from actors.net.streams import tls_context
from logconf import get_logger

if TYPE_CHECKING:
    from actors.runtime import RunningRuntime
    from actors.settings import Settings
    from supervision import ChildSpec


_logger = get_logger("actors.cli")


def servers_of(runtime: RunningRuntime, settings: Settings) -> list[ChildSpec]:
    """The servers that the settings enable.

    If the certificate of the feed cannot be read, that is a WARNING, and the feed is not served.
    """
    http, feed = settings.http, settings.feed
    servers = [socket_edge(runtime, settings.state_dir, http)]
    if http.enabled:
        servers.append(http_edge(runtime, settings.state_dir, http, feed_port=feed.port if feed.enabled else None))
    if feed.enabled:
        from actors.feed.server import FeedServer, feed_edge

        hosts = AllowedHosts((feed.host, *http.allowed_hosts))
        try:
            tls = tls_context(http.tls_certificate, http.tls_key)
            server = FeedServer(runtime, feed, runtime.access.token_peer, hosts, tls, behind_proxy=http.behind_proxy)
            servers.append(feed_edge(server))
        except OSError as error:
            _logger.warning("The event feed is not served: cannot read the certificate or its key: %s", error.strerror)
    return servers


def sign_in_link(runtime: RunningRuntime) -> str | None:
    """A link with which the user of this terminal signs in, once, within five minutes; None: HTTP is not served."""
    access = runtime.access
    if access.address is None:
        return None
    return f"{access.address}#code={access.codes.make(Peer(os.getuid(), user_name(os.getuid())))}"
