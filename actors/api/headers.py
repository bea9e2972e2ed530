"""Security headers on every answer: browsers must not guess types, nor run or frame what is not this server's."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src {connect}; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""For pages of ours: files of our own only, nothing inline; ``connect`` is ``'self'`` and the feed, if there is one."""
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


def csp(host: str | None, feed_port: int | None) -> str:
    """The content security policy of a page that was asked for under ``host``, by then on the Host list."""
    if feed_port is None or host is None:
        return CSP.format(connect="'self'")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return CSP.format(connect=f"'self' ws://{name}:{feed_port} wss://{name}:{feed_port}")


def with_headers(send: Send, content_policy: str) -> Send:
    """``send``, with these headers on the answer; one that a route set itself stays as it is."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in (*_ALWAYS.items(), ("content-security-policy", content_policy)):
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
