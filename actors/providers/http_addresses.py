"""URLs of requests: the configured one, and no path that leads away from it."""

from __future__ import annotations

import httpx

from actors.providers.errors import Protocol
from actors.providers.samples import sample


def checked_address(address: str) -> httpx.URL:
    """``address`` as a URL with scheme, host and perhaps a path. Raises ``ValueError`` for anything else."""
    try:
        url = httpx.URL(address.rstrip("/"))
    except httpx.InvalidURL as error:
        raise ValueError(f"{address[:200]!r} is not an address: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{sample(address)!r} must be an address that begins with https:// or http://")
    if url.userinfo or url.query or url.fragment:
        raise ValueError(f"{sample(address)!r} must be an address without a user, a query or a fragment")
    return url


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454)."""
    usual = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port if url.port is not None else usual


def below(base: httpx.URL, path: str) -> httpx.URL:
    """``path`` below ``base``, which begins with one slash. Raises :class:`Protocol` if it leads elsewhere."""
    if not path.startswith("/") or path.startswith("//"):
        raise Protocol(f"{sample(path)!r} is not a path")
    url = httpx.URL(str(base) + path)
    if origin(url) != origin(base):
        raise Protocol(f"{sample(path)!r} leads away from {base.host}")
    return url
