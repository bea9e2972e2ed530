"""A supervisor on another machine: its URL, the token, the connection, and messages for what goes wrong.

The token is a password, so nothing is sent before the other end is known: by its certificate, or because it is this
machine; otherwise `--insecure` is required. A token is read from a file that nobody else may read. It is never part of
a URL, which would be shown in process lists and kept in the shell's history; so a URL that may contain a token is not
repeated in a message. Redirects are not followed and proxies of the environment are not used, because both would send
the token elsewhere. A server counts as a Greenroom only if it returns the correlation ID of the request (A13).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from actors.access.hosts import is_loopback
from actors.cli.context import BadInput, Failed, TryLater
from actors.cli.tables import plain
from actors.jobs.home_directory import expanded
from actors.store.ownership import is_ours, secret_fault

if TYPE_CHECKING:
    from actors.cli.transport import Received

CONNECT_SECONDS = 10.0
"""Seconds for the connection, and as many again for its encryption."""
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""Keep-alive of TCP in seconds, seconds and probes: a server that has vanished counts as gone after these."""
_LONGEST_TOKEN = 4096
_LONGEST_SHOWN = 200
_PORT = 8765
"""The port on which Greenroom listens by default."""
_PORTS = {"https": 443, "http": 80, "wss": 443, "ws": 80}
_FEED = ("ws", "wss")
_ENCRYPTED = ("https", "wss")
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_OF_PROXIES = (429, 502, 503, 504)
_SAFE = ("GET", "HEAD", "")
_MAYBE_DONE = "; what was asked may have been done all the same: look before you repeat it"


def parsed_url(text: str, source: str, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult:
    """``text`` as the URL of a supervisor; ``source`` names where it was given. Raises :class:`BadInput`."""
    if any(mark in text for mark in "@?#") or "gr_" in text:
        raise BadInput(
            f"{source}: must hold no user, token or query, which others can see; the token is read from --token-file"
        )
    form = f"{source}: must be {schemes[0]}://HOST[:PORT]"
    shown = f"{form}, not {text!r:.{_LONGEST_SHOWN}}"
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise BadInput(
            f"{shown}; did you mean {schemes[0]}://{text:.{_LONGEST_SHOWN}}?" if text.isprintable() else shown
        )
    if scheme.lower() in _FEED and scheme not in schemes:
        raise BadInput(f"{shown}: the address of an event feed is for `watch` only")
    if scheme.lower() not in schemes or not rest or not text.isprintable() or " " in text:
        raise BadInput(shown)
    try:
        found = urlsplit(text)
        _ascii(found.hostname or "")
        if found.port == 0:
            raise ValueError("there is no port 0")
    except ValueError as error:
        raise BadInput(f"{shown}: {error}") from None
    return found


def checked_url(text: str, source: str, *, insecure: bool, schemes: tuple[str, ...] = ("https", "http")) -> SplitResult:
    """Like :func:`parsed_url`; also raises :class:`BadInput` if the token would be sent unencrypted to another
    machine.
    """
    url = parsed_url(text, source, schemes)
    assert url.hostname is not None
    if url.scheme in _ENCRYPTED:
        if insecure:
            raise BadInput(
                f"--insecure is for {url.scheme[:-1]}://; the certificate of a {url.scheme}:// address is always "
                "checked (SSL_CERT_FILE names a file with one of your own)"
            )
    elif not insecure and not is_loopback(url.hostname):
        raise BadInput(
            f"{source}: {url.scheme}:// sends the token unencrypted to another machine; use {url.scheme}s://, or "
            "--insecure if everybody on the way may read it"
        )
    return url


def read_token(file: str | None, source: str) -> str:
    """The token in ``file``, a regular file or a pipe that nobody else may read; ``source`` names the file.

    Raises :class:`BadInput`.
    """
    if not file:
        raise BadInput(
            "a URL needs a token: name its file with --token-file or GREENROOM_TOKEN_FILE; an admin makes tokens: "
            "greenroom token create --user NAME"
        )
    if file.startswith("gr_") and not os.path.lexists(file):
        raise BadInput(f"{source}: is the name of a file, not the token itself, which others could see here")
    path = expanded(file)
    try:
        # A pipe that nobody writes to is not waited for: it is empty.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor
            found = os.fstat(descriptor)
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
                raise BadInput(f"{source}: {path} is not a regular file")
            if (fault := secret_fault(found)) is not None:
                raise BadInput(
                    f"{source}: {path}: {fault}; {'chmod 600 it' if is_ours(found) else 'use one of your own'}"
                )
            os.set_blocking(descriptor, True)
            content = opened.read(_LONGEST_TOKEN + 1)
    except OSError as error:
        raise BadInput(f"{source}: cannot read {path}: {error.strerror}") from None
    token = content.strip().decode("ascii", "replace")
    if not token or len(content) > _LONGEST_TOKEN or not all("!" <= mark <= "~" for mark in token):
        raise BadInput(f"{source}: {path} does not hold one token and nothing else")
    return token


class NetworkAddress:
    """The supervisor at a URL."""

    is_network = True
    is_own = False

    def __init__(self, url: SplitResult, token: str, token_file: str) -> None:
        assert url.hostname is not None
        self.name = url.geturl().rstrip("/")
        self._host = _ascii(url.hostname)
        self._encrypted = url.scheme in _ENCRYPTED
        self._port_given = url.port is not None
        self._port = url.port or _PORTS[url.scheme]
        self._token_file = token_file
        host = f"[{self._host}]" if ":" in self._host else self._host
        port = f":{url.port}" if self._port_given else ""
        self.prefix = url.path.rstrip("/")
        self.headers: Mapping[str, str] = {
            "Host": f"{host}{port}",
            "Authorization": f"Bearer {token}",
        }

    def connect(self) -> socket.socket:
        """An encrypted connection to a server with a valid certificate, or a plain one. Raises ``OSError``."""
        connection = socket.create_connection((self._host, self._port), CONNECT_SECONDS)
        with ExitStack() as failing:
            failing.callback(connection.close)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE:
                if (number := getattr(socket, option, None)) is not None:
                    connection.setsockopt(socket.IPPROTO_TCP, number, value)
            if self._encrypted:
                import ssl

                connection = ssl.create_default_context().wrap_socket(connection, server_hostname=self._host)
            failing.pop_all()
        return connection

    def check(self, status: int, header: Mapping[str, str], correlation_id: str) -> None:
        """Raises :class:`Failed` for answers that only a server on the network gives, and if it is no Greenroom."""
        if 300 <= status < 400:
            place = f" to {plain(header['location'])[:_LONGEST_SHOWN]}" if "location" in header else ""
            raise Failed(f"{self.name} redirects{place}; nothing was followed: give the supervisor's own address")
        if header.get("x-correlation-id") != correlation_id:
            if status in _OF_PROXIES:
                raise TryLater(f"a server before {self.name} answers in its place with status {status}")
            raise Failed(f"what answers at {self.name} (status {status}) is not a Greenroom supervisor")
        if status == 421:
            host = self.headers["Host"]
            raise Failed(f"{self.name} does not know itself by the name {host}: add it to http.allowed_hosts there")
        if status == 401:
            raise Failed(f"{self.name} does not accept the token in {self._token_file}: unknown, revoked or expired")

    def unreachable(self, error: OSError) -> Failed:
        """The error if there is no connection."""
        certain = hasattr(error, "verify_message")
        return (Failed if certain else TryLater)(f"{self._why(error)}{_proxy_note()}")

    def _why(self, error: OSError) -> str:
        if isinstance(error, socket.gaierror):
            return f"{self.name}: the name {self._host} is not known ({error.strerror})"
        if isinstance(error, ConnectionRefusedError):
            hint = "" if self._port_given else f"; no port was given, and Greenroom's own is {_PORT}"
            return f"nobody listens at {self.name}{hint}"
        if isinstance(error, TimeoutError):
            return f"{self.name} does not answer"
        if (why := getattr(error, "verify_message", None)) is not None:
            return (
                f"nothing was sent: the certificate of {self.name} is not valid: {plain(why)}; if it is one of your "
                "own, SSL_CERT_FILE names a file with it"
            )
        if (reason := getattr(error, "reason", None)) is not None:
            hint = " (what answers does not use TLS)" if reason in _NO_TLS else ""
            return f"nothing was sent: no encrypted connection to {self.name}: {plain(reason)}{hint}"
        return f"no connection to {self.name}: {error.strerror or error}"

    def silent(self, method: str) -> Failed:
        """The error if there was no answer in time."""
        return TryLater(f"{self.name} does not answer{'' if method in _SAFE else _MAYBE_DONE}")

    def broken(self, method: str, received: Received) -> Failed:
        """The error if an answer ended early, or was not HTTP."""
        hint = "" if self._encrypted else "; if it is encrypted, write https://"
        if received == "other":
            return Failed(f"what answers at {self.name} does not speak HTTP/1.1{hint}")
        if received == "nothing":
            why = f"{self.name} closed the connection without an answer{hint}"
        else:
            why = f"the connection to {self.name} was lost before the answer was whole"
        return TryLater(why + ("" if method in _SAFE else _MAYBE_DONE))


def network_address(
    text: str, source: str, token_file: str | None, token_source: str, *, insecure: bool
) -> NetworkAddress:
    """The supervisor at the URL ``text``. ``source`` and ``token_source`` name where URL and token file were given.

    Raises :class:`BadInput`.
    """
    url = checked_url(text, source, insecure=insecure)
    return NetworkAddress(url, read_token(token_file, token_source), token_file or "")


def _ascii(name: str) -> str:
    """A host name in the form in which it is sent. Raises ``ValueError``."""
    found = name if name.isascii() else name.encode("idna").decode()
    if ":" not in name and any(not 0 < len(label) < 64 for label in found.removesuffix(".").split(".")):
        raise ValueError("that is not a host name")
    return found


def _proxy_note() -> str:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        if os.environ.get(name):
            return f" ({name} is not used: Greenroom connects directly)"
    return ""
