"""HTTP to the outside: clients whose every request carries the correlation ID of the moment at which it is sent (A13).

    async with get_async_client() as client:
        response = await client.get("https://api.replicate.com/v1/predictions")

The correlation functions are here, too, because existing applications import them from here.
"""

from __future__ import annotations

import os
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from actors.http_client.transport import TransportOptions, transport_options
from logconf import clear_correlation_id, get_correlation_id, set_correlation_id, traceparent_for

__all__ = [
    "TransportOptions",
    "clear_correlation_id",
    "get_async_client",
    "get_correlation_id",
    "set_correlation_id",
    "transport_options",
]


def get_async_client(transport_from: TransportOptions | None = None, **options: Any) -> httpx.AsyncClient:
    """A client that adds ``X-Correlation-ID`` and ``traceparent`` to each request, as they are at that moment.

    ``transport_from``: the transport options; None: those of the ``SIMPLETUNER_`` variables. ``options`` are those of
    :class:`httpx.AsyncClient`. By default redirects are not followed and proxies of the environment are not used, so
    that a credential is sent only where the configuration says. Cookies are neither kept nor returned.
    """
    hooks = {name: list(functions) for name, functions in (options.pop("event_hooks", None) or {}).items()}
    hooks.setdefault("request", []).insert(0, _stamp)
    travel = transport_from if transport_from is not None else transport_options(os.environ)[0]
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx.AsyncClient(event_hooks=hooks, **{"cookies": cookies, **travel.for_client(), **options})


async def _stamp(request: httpx.Request) -> None:
    """Add the headers. A pooled client outlives the request that made it, so the ID is read here and not when it is
    made.
    """
    correlation_id = get_correlation_id()
    request.headers["X-Correlation-ID"] = correlation_id
    request.headers["traceparent"] = traceparent_for(correlation_id)
