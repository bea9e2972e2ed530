"""The settings section ``feed``."""

from __future__ import annotations

import attrs
from attrs.validators import and_, ge, le

PORT = 8766


@attrs.frozen
class FeedOptions:
    """The WebSocket feed of changes, for other machines.

    ``enabled``: whether it is served. ``host``: an address. Any but loopback needs the TLS or the proxy of section
    ``http``. ``port``: 0: any free one, which the log shows. ``max_connections``: connections in all.
    ``max_per_address``: connections of one address, unless section ``http`` has ``behind_proxy``. ``max_per_user``:
    connections of one user.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = attrs.field(default=PORT, validator=and_(ge(0), le(65_535)))
    max_connections: int = attrs.field(default=100, validator=ge(1))
    max_per_address: int = attrs.field(default=64, validator=ge(1))
    max_per_user: int = attrs.field(default=5, validator=ge(1))
