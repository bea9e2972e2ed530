"""The settings section ``feed``."""

from __future__ import annotations

import attrs
from attrs.validators import and_, ge, le

PORT = 8766


@attrs.frozen
class FeedOptions:
    """The WebSocket feed of changes, for other machines.

    ``enabled``: whether the feed is served. ``host``: the address to listen on. Any address other than loopback needs
    the TLS or the proxy of section ``http``. ``port``: the port to listen on; 0: any free port, which is written to the
    log. ``max_connections``: connections in all. ``max_per_address``: connections of one address; no limit if section
    ``http`` has ``behind_proxy``. ``max_per_user``: connections of one user.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = attrs.field(default=PORT, validator=and_(ge(0), le(65_535)))
    max_connections: int = attrs.field(default=100, validator=ge(1))
    max_per_address: int = attrs.field(default=64, validator=ge(1))
    max_per_user: int = attrs.field(default=5, validator=ge(1))
