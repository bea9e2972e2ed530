"""The settings section ``http``: where HTTP is served, to whom, and within which limits."""

from __future__ import annotations

from pathlib import Path

import attrs
from attrs.validators import and_, ge, gt, le

from actors.access.hosts import is_loopback
from actors.jobs import maxima
from actors.jobs.quantities import Bytes, Hours

PORT = 8765


@attrs.frozen
class HttpOptions:
    """HTTP: the dashboard, the API and webhooks. An embedding program opens no port.

    ``enabled``: whether ``greenroom run`` serves HTTP. ``host``: the address to listen on, or ``localhost``. Any
    address other than loopback needs ``tls_certificate`` and ``tls_key``, or ``behind_proxy``. ``port``: the port to
    listen on; 0: any free port, which is written to the log. ``tls_certificate``: a PEM file with the certificate and
    its chain. ``tls_key``: a PEM file with the key. ``behind_proxy``: whether only a proxy can reach the port, which
    receives the TLS connections in its place. The last ``X-Forwarded-For`` is then the client's address.
    ``allowed_hosts``: the names under which clients may address this server, in addition to those of loopback.
    ``webhook_hosts``: further names, for webhooks only.

    ``requests_per_minute``: requests of one token, and of each address of unknown clients. ``max_connections``:
    connections in all. ``max_per_address``: connections of one address. ``max_body_bytes``: the largest body of a
    request. ``max_streams``: event streams in all. ``max_streams_per_token``: event streams of one token, or of one
    address. ``session_hours``: how long a browser stays signed in.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = attrs.field(default=PORT, validator=and_(ge(0), le(65_535)))
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    allowed_hosts: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    requests_per_minute: int = attrs.field(default=600, validator=ge(1))
    max_connections: int = attrs.field(default=256, validator=ge(1))
    max_per_address: int = attrs.field(default=128, validator=ge(1))
    max_body_bytes: Bytes = attrs.field(default=maxima.BATCH, validator=ge(1024))
    max_streams: int = attrs.field(default=100, validator=ge(1))
    max_streams_per_token: int = attrs.field(default=5, validator=ge(1))
    session_hours: Hours = attrs.field(default=12.0, validator=and_(gt(0), le(24 * 366)))

    def __attrs_post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_key: tls_certificate and tls_key go together")
        if not self.is_encrypted and not self.behind_proxy and not is_loopback(self.host):
            raise ValueError(
                f"host: {self.host} is not loopback, so tokens would cross the network unencrypted: "
                "give tls_certificate and tls_key, or set behind_proxy: true"
            )

    @property
    def is_encrypted(self) -> bool:
        """Whether the server itself uses TLS."""
        return self.tls_certificate is not None


@attrs.frozen
class SocketOptions:
    """A second Unix socket, for other users of this machine, in addition to that of the supervisor's own user.

    ``group``: the group whose members may connect to the socket. The supervisor's user must be a member, too.
    ``directory``: a directory for the socket and nothing else. The supervisor makes it if it is missing, and gives it
    to the group with mode 0750. ``commands``: whether members of the group may submit commands. These run as the
    supervisor's user. So they can read and change everything that this user can, also the jobs and tokens of other
    users.
    """

    group: str
    directory: Path = attrs.field(default=Path("/run/greenroom"))
    commands: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.group:
            raise ValueError("group: must be the name of a group")
        if not self.directory.is_absolute():
            raise ValueError(f"directory: must begin with /, not {self.directory}")
