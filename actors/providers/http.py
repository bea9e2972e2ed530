"""The HTTP client for remote providers: bounded in connections, rate, size and time.

    client = ProviderClient("replicate", "https://api.replicate.com", headers=lambda: {"Authorization": ...})
    answer = await client.request("GET", "/v1/predictions", bucket="other", deadline=20)
    page = answer.object()

Everything that goes wrong becomes a kind of :class:`~actors.providers.errors.ProviderError`. Requests go only to the
configured origin.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import attrs
import httpx
import orjson
import stamina
import trio

from actors.http_client import get_async_client, transport_options
from actors.kernel.retry_log import ensure_retry_log
from actors.providers import errors
from actors.providers.http_addresses import below, checked_address
from actors.providers.http_errors import broken, late, refused
from actors.providers.json_reading import read_json
from actors.providers.rates import Bucket, Rate
from actors.providers.samples import sample
from logconf.masking import register_secret

ATTEMPTS = 3
"""The most tries of a request that is safe to repeat."""

LONGEST_WAIT = 5.0
"""The most seconds between two tries. A longer wait that a provider asks for happens in the queue, not in the call."""

MOST_BYTES = 16 * 1024 * 1024
"""The most bytes of an answer."""

_ERROR_BYTES = 256 * 1024
_SAFE = frozenset({"GET", "HEAD"})
_SENDING = ".send_request_headers.started"
_PASSING = frozenset({429, 502, 503, 504})


@attrs.frozen
class Answer:
    """A complete answer. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises :class:`errors.Protocol`, with its beginning, if it is not JSON."""
        try:
            return read_json(self.body)
        except ValueError as error:
            raise errors.Protocol(f"the answer is not JSON ({error}): {sample(self.body)!r}") from None

    def object(self) -> dict[str, Any]:
        """The body, which must be a JSON object. Raises :class:`errors.Protocol`."""
        found = self.json()
        if not isinstance(found, dict):
            raise errors.Protocol(f"the answer is not a JSON object: {sample(self.body)!r}")
        return found


@attrs.define
class _Ask:
    """One request, as every try sends it, and the progress of the last try.

    ``status``: of its answer, None without one. ``began``, ``sent``: known only with httpcore's transport.
    """

    request: Mapping[str, Any]
    bucket: str
    repeatable: bool
    deadline: float
    most_bytes: int
    accept: frozenset[int]
    status: int | None = None
    began: bool = False
    sent: bool = False

    @property
    def unsent(self) -> bool:
        return self.began and not self.sent

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        self.began = True
        self.sent = self.sent or event.endswith(_SENDING)

    def again(self, error: Exception) -> bool | float:
        """Whether to try again; a number is the seconds to wait before."""
        ensure_retry_log()
        if not isinstance(error, (errors.RateLimited, errors.Unavailable)):
            return False
        if self.status is not None and self.status not in _PASSING:
            return False
        if error.retry_after is None:
            return True
        wait = error.retry_after * (1 + random.random() / 10)  # noqa: S311 - those refused together come back apart
        return wait if wait <= LONGEST_WAIT else False


class ProviderClient:
    """HTTP to one provider at ``base_url``. Raises ``ValueError`` for an invalid URL.

    ``headers``: called for each request, returns the headers to send, also credentials; their values are masked in
    every log line. ``auth``: what the statuses ``unauthorized`` mean, in words that name the setting. ``rates``: what
    the provider allows. ``proxy``: the address of a proxy to use. ``transport``: a transport of its own, for tests.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        headers: Callable[[], Mapping[str, str]] = dict,
        auth: str | None = None,
        unauthorized: Collection[int] = (401,),
        rates: Iterable[Rate] = (),
        max_connections: int = 10,
        proxy: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self.base_url = checked_address(base_url)
        self._headers = headers
        self._auth = auth or f"{name} does not accept the credentials"
        self._unauthorized = unauthorized
        self._now = now
        self._buckets = {rate.bucket: Bucket(rate) for rate in rates}
        # httpx's pool fills for ever when requests that wait for a connection are cancelled: so none waits there.
        self._connections = trio.CapacityLimiter(max_connections)
        self._client = client_of(max_connections, proxy, transport)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        bucket: str = "",
        repeatable: bool | None = None,
        deadline: float | None = None,
        most_bytes: int = MOST_BYTES,
        accept: Collection[int] = (),
    ) -> Answer:
        """Send one request and read its complete answer.

        ``path``: below the base URL, quoted, with its leading slash. ``json`` or ``content``: the body. ``bucket``: the
        rate limit in which it counts. ``repeatable``: repeating the request does no harm; None: only GET and HEAD. Such
        a request is tried up to :data:`ATTEMPTS` times. ``deadline``: seconds for the complete answer of one try; None:
        four times the transport's time-out. ``most_bytes``: the most bytes of an answer. ``accept``: statuses that
        count as an answer, in addition to 200 to 299; of other bodies only the beginning is read, for the message.

        Raises the kinds of :class:`~actors.providers.errors.ProviderError`; a request that is not repeatable and may
        have taken effect raises ``OutcomeUnknown``.
        """
        kind = {} if json is None else {"Content-Type": "application/json"}
        ask = _Ask(
            request={
                "method": method.upper(),
                "url": below(self.base_url, path),
                "params": params,
                "headers": {**kind, **dict(headers or {})},
                "content": content if json is None else orjson.dumps(json),
            },
            bucket=bucket,
            repeatable=method.upper() in _SAFE if repeatable is None else repeatable,
            deadline=deadline if deadline is not None else 4 * (self._client.timeout.read or 30.0),
            most_bytes=most_bytes,
            accept=frozenset(accept),
        )
        if not ask.repeatable:
            return await self._try(ask)
        # No time-out here: stamina would take the real clock's, and the caller's cancel scope has one.
        async for attempt in stamina.retry_context(
            on=ask.again, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=2.0, wait_jitter=0.5
        ):
            with attempt:
                return await self._try(ask)
        raise AssertionError("stamina ends by an answer or an error")

    async def _try(self, ask: _Ask) -> Answer:
        ask.status, ask.began, ask.sent = None, False, False
        headers = {"Accept-Encoding": "identity", **self._credentials(), **ask.request["headers"]}
        if (bucket := self._buckets.get(ask.bucket)) is not None:
            await bucket.take()
        async with self._connections:
            with trio.move_on_after(ask.deadline):
                try:
                    return await self._exchange(ask, headers)
                except httpx.HTTPError as error:
                    raise broken(self.name, error, unsent=ask.unsent, repeatable=ask.repeatable) from error
        raise late(self.name, ask.deadline, unsent=ask.unsent, repeatable=ask.repeatable)

    async def _exchange(self, ask: _Ask, headers: Mapping[str, str]) -> Answer:
        request = {**ask.request, "headers": headers, "extensions": {"trace": ask.trace}}
        async with self._client.stream(**request) as response:
            ask.status = response.status_code
            answered = {name.lower(): value for name, value in response.headers.items()}
            if response.is_success:
                return Answer(response.status_code, answered, await self._whole(response, ask.most_bytes))
            body = await _beginning(response)
            if response.status_code in ask.accept:
                return Answer(response.status_code, answered, body)
            if response.status_code in self._unauthorized:
                error: errors.ProviderError = errors.Auth(self._auth)
            else:
                error = refused(
                    self.name, response.status_code, answered, body, repeatable=ask.repeatable, now=self._now()
                )
            error.status = response.status_code
            raise error

    async def _whole(self, response: httpx.Response, most_bytes: int) -> bytes:
        if "content-encoding" in response.headers:  # a compressed body may unpack to a thousand times its size
            raise errors.Protocol(f"{self.name} packed its answer, which it was asked not to do")
        body = await _read(response, most_bytes)
        if len(body) > most_bytes:
            raise errors.Protocol(f"{self.name} sent more than {most_bytes} bytes")
        return body

    def _credentials(self) -> Mapping[str, str]:
        """The present headers. Raises :class:`errors.Auth` for a value that no request can carry."""
        headers = self._headers()
        for value in headers.values():
            register_secret(value.rpartition(" ")[2])
            if not (value.isascii() and value.isprintable()):  # else the error of a library would show it
                raise errors.Auth(f"{self._auth}: it has characters that no header can carry")
        return headers


def client_of(connections: int, proxy: str | None, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """A client with so many ``connections`` at the most; the rest as in :class:`ProviderClient`."""
    travel = transport_options(os.environ)[0]
    return get_async_client(
        travel if proxy is None else attrs.evolve(travel, proxy=proxy),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        **({} if transport is None else {"transport": transport}),
    )


async def _beginning(response: httpx.Response) -> bytes:
    """As much of a refusal as a message needs; its status is what counts, whatever became of its body."""
    if "content-encoding" in response.headers:
        return b""
    with suppress(httpx.HTTPError):
        return (await _read(response, _ERROR_BYTES))[:_ERROR_BYTES]
    return b""


async def _read(response: httpx.Response, most_bytes: int) -> bytes:
    """The body, or a little more than ``most_bytes`` of it."""
    body = bytearray()
    with trio.CancelScope() as enough:
        async for chunk in response.aiter_bytes():
            if len(body) <= most_bytes:
                body += chunk
            if len(body) > most_bytes:
                # Left by `break`, the generators inside httpx would stay open until they are collected; so the read
                # that comes next is cancelled, and all of them end from within.
                enough.cancel()
    return bytes(body)
