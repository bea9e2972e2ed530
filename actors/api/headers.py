"""What every answer tells browsers: take the type as it is said, run and frame nothing that is not ours."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import Message, Send

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src {connect}; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""For pages of ours: files of our own only, nothing inline; ``connect`` is ``'self'`` and the feed, if there is one."""
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    b"cache-control": b"no-store",
}


def csp(host: str | None, feed_port: int | None) -> str:
    """The content security policy of a page that was asked for under ``host``, by then on the Host list."""
    if feed_port is None or host is None:
        return CSP.format(connect="'self'")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return CSP.format(connect=f"'self' ws://{name}:{feed_port} wss://{name}:{feed_port}")


def with_headers(send: Send, content_policy: str) -> Send:
    """``send``, with these headers on the answer; one that a route set itself stays as it is."""
    usual = {**_ALWAYS, b"content-security-policy": content_policy.encode("latin-1", "replace")}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": _completed(message.get("headers", ()), usual)}
        await send(message)

    return send_with_headers


def _completed(
    headers: Iterable[tuple[bytes, bytes]], usual: dict[bytes, bytes]
) -> list[tuple[bytes, bytes]]:  # fmt: skip
    given = list(headers)
    names = {name.lower() for name, _value in given}
    return [*given, *((name, value) for name, value in usual.items() if name not in names)]
