"""The requests to Replicate's API, one method each. Paths are built here, and never taken from an answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import httpx
import trio

from actors.providers.errors import Auth, Conflict, Forbidden, Invalid, NotFound, Protocol, explained_as
from actors.providers.http import MOST_BYTES, Answer, ProviderClient
from actors.providers.http_errors import date_of
from actors.providers.rates import Rate
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.preparing import TRAINING
from actors.providers.replicate.reading import remote_id

CREATE, OTHER = "create", "other"
RATES = (Rate(CREATE, 600, 60.0), Rate(OTHER, 3000, 60.0))
"""https://replicate.com/docs/topics/predictions/rate-limits"""

MOST_BYTES_OF_ONE = 64 * 1024 * 1024
"""The size limit in bytes of one job, with its output and log. The end of a larger job cannot be seen."""

GOOD_FOR = 3600.0
"""For how many seconds the ``Date`` of an answer is used to compute the present time; clocks drift."""

_YEARS = range(2000, 3000)
_CONNECTIONS = 16
_LONGEST_SECRET = 1_000
_LONGEST_CURSOR = 4_000


class TheirTime:
    """What Replicate's clock shows, computed from the ``Date`` of its answers. The ``created_at`` of jobs is compared
    with it.

    Our wall clock may be wrong when a job is submitted, and be corrected before the job is searched for. A search from
    our time on would then miss the job, and it would run twice. So Replicate's time is continued with ``steady``, a
    count of seconds that includes sleep and that no change of the wall clock affects.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._sent: datetime | None = None
        self._at: float | None = None

    def note(self, date: str | None) -> None:
        """Note the ``Date`` of an answer that was read now. An answer without one changes nothing."""
        sent = date_of(date)
        if sent is not None and sent.year not in _YEARS:
            sent = None
        if sent is not None or not self.known:
            self._sent, self._at = sent, self._steady()

    @property
    def known(self) -> bool:
        """Whether the time is known, or known to be missing in the answers; neither for longer than
        :data:`GOOD_FOR`.
        """
        return self._at is not None and self._steady() - self._at < GOOD_FOR

    def now(self) -> datetime | None:
        """Return their time. It is never too late, because an answer is written before it is read."""
        if self._sent is None or self._at is None or not self.known:
            return None
        return self._sent + timedelta(seconds=max(self._steady() - self._at, 0.0))


@attrs.frozen
class Page:
    """One page of a list, newest first, and the cursor of the next page (None after the last one).

    ``last`` says whether the list ends here. Where it does not and there is no cursor, the rest cannot be read.
    """

    jobs: tuple[Mapping[str, Any], ...]
    cursor: str | None
    last: bool


class ReplicateApi:
    """One account. ``name`` is what the configuration calls the provider; ``transport`` is for tests."""

    def __init__(
        self,
        name: str,
        options: ReplicateOptions,
        now: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        steady: Callable[[], float] = trio.current_time,
    ) -> None:
        self.name = name
        self._variable = options.api_token_env
        self._setting = f"providers.{name}.api_token_env"
        self._deadline = options.request_seconds
        self._theirs = TheirTime(steady)
        self._client = ProviderClient(
            name,
            options.base_url,
            headers=self.credentials,
            auth=f"Replicate does not accept the token in ${self._variable} ({self._setting})",
            rates=RATES,
            max_connections=_CONNECTIONS,
            proxy=options.proxy,
            transport=transport,
            now=now,
        )

    def credentials(self) -> dict[str, str]:
        """Return the headers that go with each request. Raises :class:`Auth` where there is no token."""
        token = os.environ.get(self._variable, "").strip()
        if not token:
            raise Auth(f"Replicate needs an API token in ${self._variable} ({self._setting}), which is not set")
        return {"Authorization": f"Bearer {token}"}

    async def account(self) -> Mapping[str, Any]:
        """Return the account that the token belongs to, as the API describes it."""
        return await self._read("/v1/account")

    async def their_time(self) -> datetime | None:
        """Return Replicate's own time, never too late; None where its answers have none. May send a request."""
        if not self._theirs.known:
            with suppress(Forbidden, NotFound, Invalid, Protocol):
                await self.account()
        return self._theirs.now()

    async def create(self, path: str, body: Mapping[str, Any], cancel_after: str | None) -> Mapping[str, Any]:
        """Start a job. Raises :class:`Invalid` where there is no such model or destination."""
        headers = {} if cancel_after is None else {"Cancel-After": cancel_after}
        with explained_as(Invalid, "Replicate has no such model, version, deployment or destination", NotFound):
            answer = await self._ask("POST", path, json=body, headers=headers, bucket=CREATE, repeatable=False)
        return answer.object()

    async def get(self, kind: str, job_id: str) -> Mapping[str, Any]:
        """Return one job. Raises :class:`NotFound`."""
        return await self._read(f"/v1/{kind}s/{remote_id(job_id)}", MOST_BYTES_OF_ONE)

    async def cancel(self, kind: str, job_id: str) -> Mapping[str, Any] | None:
        """Request the end of a job. Returns the job as it is then, or None where the answer is not reliable."""
        path = f"/v1/{kind}s/{remote_id(job_id)}/cancel"
        try:
            answer = await self._ask("POST", path, repeatable=True)
            return answer.object()
        except (NotFound, Conflict, Invalid, Protocol):
            return None

    async def page(self, kind: str, cursor: str | None, since: datetime | None) -> Page:
        """Return one page of all jobs. ``since`` limits it to jobs created at that time or later, where the list
        supports it.
        """
        params: dict[str, str] = {}
        if since is not None and kind != TRAINING:
            params["created_after"] = since.isoformat().replace("+00:00", "Z")
        if cursor is not None:
            params["cursor"] = cursor
        answer = await self._ask("GET", f"/v1/{kind}s", params=params or None)
        body = answer.object()
        found = body.get("results")
        if not isinstance(found, list):
            raise Protocol("a list of jobs has no results")
        following = body.get("next")
        return Page(tuple(one for one in found if isinstance(one, dict)), _cursor(following), not following)

    async def secret(self) -> str:
        """Return the secret that signs the deliveries of the account."""
        key = (await self._read("/v1/webhooks/default/secret")).get("key")
        if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_SECRET:
            raise Protocol("the answer holds no signing secret")
        return key

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _read(self, path: str, most_bytes: int = MOST_BYTES) -> Mapping[str, Any]:
        return (await self._ask("GET", path, most_bytes=most_bytes)).object()

    async def _ask(self, method: str, path: str, *, bucket: str = OTHER, **more: Any) -> Answer:
        answer = await self._client.request(method, path, bucket=bucket, deadline=self._deadline, **more)
        self._theirs.note(answer.headers.get("date"))
        return answer


def _cursor(following: object) -> str | None:
    """Return the cursor in the address of the next page. The address itself, and its origin, are not used."""
    if not isinstance(following, str):
        return None
    try:
        found = parse_qs(urlsplit(following).query).get("cursor", [None])[0]
    except ValueError:
        return None
    return found if found is None or len(found) <= _LONGEST_CURSOR else None
