"""HTTP to the outside: clients whose every request carries the correlation ID of the moment it is sent (A13).

    async with get_async_client() as client:
        response = await client.get("https://api.replicate.com/v1/predictions")

The correlation functions are here, too, where existing applications import them from.
"""

from actors.http_client.clients import get_async_client
from actors.http_client.transport import TransportOptions, transport_options
from logconf import clear_correlation_id, get_correlation_id, set_correlation_id

__all__ = [
    "TransportOptions",
    "clear_correlation_id",
    "get_async_client",
    "get_correlation_id",
    "set_correlation_id",
    "transport_options",
]
