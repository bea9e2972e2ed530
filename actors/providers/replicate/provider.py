"""The provider `replicate`: runs jobs at Replicate, which it finds again by a token in their input."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from actors.jobs.records import Capacity, JobRequest, Observation
from actors.providers.base import (
    CancelAck,
    Capabilities,
    Found,
    Handle,
    Idempotency,
    Listing,
    LogChunk,
    Nudge,
    Prepared,
    Push,
    Submitted,
    View,
)
from actors.providers.deliveries import Rejected
from actors.providers.errors import NotFound
from actors.providers.log_notices import offset_of, rest_of
from actors.providers.replicate.api import ReplicateApi
from actors.providers.replicate.copying import Copies
from actors.providers.replicate.deliveries import Reading, read_delivery
from actors.providers.replicate.observing import Observer
from actors.providers.replicate.options import ReplicateOptions
from actors.providers.replicate.preparing import prepare_request
from actors.providers.replicate.reading import ENDED, kind_and_id, log_of, observation_of
from actors.providers.replicate.secrets import Secrets
from actors.providers.replicate.submitting import Submitter
from actors.providers.submission_notes import SubmissionNotes


class ReplicateProvider:
    """An account at Replicate. ``root`` is a folder of its own, for copies of results and unsettled submissions.

    ``transport`` is for tests. ``steady``: a count of seconds that no step of the wall clock changes, and that includes
    sleep.

    No connection is opened before it is needed, so the start does not depend on Replicate.
    """

    def __init__(
        self,
        options: ReplicateOptions | None = None,
        root: Path | None = None,
        name: str = "replicate",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.AsyncBaseTransport | None = None,
        steady: Callable[[], float] = trio.current_time,
    ) -> None:
        self.name = name
        self._options = options = options if options is not None else ReplicateOptions()
        self.capabilities = Capabilities(
            submit_idempotency=Idempotency.TOKEN_SEARCH if options.token_input else Idempotency.NONE,
            listing=Listing.SINCE,
            page_size=100,
            push=Push.WEBHOOK,
            concurrent_calls=8,
        )
        self._now = now
        self._api = ReplicateApi(name, options, now, transport, steady)
        self._observer = Observer(self._api, self._read)
        notes = SubmissionNotes(root if options.token_input is not None else None)
        self._submitter = Submitter(self._api, options, now, self._read, notes)
        self._secrets = Secrets(self._api, options.webhook_secret_env)
        self._copies = None
        if options.copy_results and root is not None:
            self._copies = Copies(root, options, self._api, now, transport)
            self.remarks = self._copies.remarks

    def capacity(self) -> Capacity:
        """Return how many jobs may be there at the same time, as configured."""
        return Capacity(cpus=self._options.concurrent)

    def prepare(self, request: JobRequest) -> Prepared:
        """Check ``request``. Raises :class:`Invalid` naming every fault."""
        return prepare_request(request, self._options)

    async def check(self) -> Mapping[str, Any]:
        """Whose account it is. Raises :class:`Auth` naming the setting, or :class:`Unavailable`."""
        account = await self._api.account()
        return {
            "address": self._options.base_url,
            "account": str(account.get("username", ""))[:200],
            "lost_answers": "found again by token_input" if self._options.token_input else "left to a person",
        }

    async def submit(self, key: str, token: str, prepared: Prepared, context: Mapping[str, str]) -> Submitted:
        """Create the prediction or training. If this process has created it under the same key, nothing is created."""
        if self._copies is not None:
            self._copies.note_trail(key)
        return await self._submitter.submit(key, token, prepared)

    async def find(self, key: str, token: str) -> Found:
        """Look for the job with the token in its input. Raises :class:`ProviderError` while that cannot be sure."""
        return await self._submitter.find(key, token)

    async def observe_many(self, handles: Mapping[str, Handle]) -> View:
        """Return the state of these jobs. Many jobs are read from the pages of the lists."""
        await self._submitter.stand_in_rows(handles)
        view = await self._observer.look(handles)
        if self._copies is not None:
            return await self._wanting_copies(view, handles, self._copies)
        return view

    async def _wanting_copies(self, view: View, handles: Mapping[str, Handle], copies: Copies) -> View:
        """Return ``view`` without the ended jobs whose results are to be copied, if this could not be recorded."""
        failed = {}
        for key, seen in view.observations.items():
            if seen.phase in ENDED and seen.output_url is not None:
                try:
                    await copies.want(key, handles[key], seen.completed_at)
                except OSError as error:
                    failed[key] = f"what it left cannot be copied yet: {error}"
        reported = {key: seen for key, seen in view.observations.items() if key not in failed}
        return attrs.evolve(view, observations=reported, failed={**view.failed, **failed})

    async def cancel(self, key: str, handle: Handle) -> CancelAck:
        """Request the end. The job's status, not the answer, decides whether it has ended."""
        kind, job_id = kind_and_id(handle)
        body = await self._api.cancel(kind, job_id)
        obeyed = body is not None
        try:
            body = body if body is not None else await self._api.get(kind, job_id)
        except NotFound:
            return CancelAck.UNKNOWN_JOB
        phase = self._read(body).phase
        if phase in ENDED:
            return CancelAck.ALREADY_TERMINAL
        return CancelAck.ACCEPTED if obeyed else CancelAck.TOO_LATE

    async def logs(self, key: str, handle: Handle, cursor: str | None = None) -> AsyncIterator[LogChunk]:
        """Yield the output from ``cursor`` (a byte offset) to its present end. Replicate deletes it after an hour."""
        offset = offset_of(cursor)  # refused before the request is made
        try:
            log = log_of(await self._api.get(*kind_and_id(handle)))
        except NotFound:
            return
        for chunk in rest_of(log, offset):
            yield chunk

    def read_delivery(self, headers: Mapping[str, str], secrets: Sequence[str], now: datetime) -> Reading | Rejected:
        """Begin to read a delivery. If results are copied, it claims nothing, because the job is read again first."""
        claims = self._copies is None
        return read_delivery(headers, secrets, now, self._options.usd_per_second, claims=claims)

    async def delivery_secrets(self, *, fresh: bool = False) -> Sequence[str]:
        """Return the configured secrets, or the account's own."""
        return await self._secrets.get(fresh=fresh)

    async def forget(self, key: str, handle: Handle) -> None:
        """Remove the copies of its results. Replicate itself forgets a job's content within an hour.

        Raises :class:`Conflict` while they are being copied.
        """
        if self._copies is not None:
            await self._copies.forget(key)
        await self._submitter.forget(key)
        await trio.lowlevel.checkpoint()

    async def stored_bytes(self, key: str, handle: Handle) -> int | None:
        """Return how many bytes the copies of its results take."""
        if self._copies is not None:
            return await self._copies.stored_bytes(key)
        await trio.lowlevel.checkpoint()
        return 0

    async def watch(self, nudge: Nudge) -> None:
        """Copy results until cancelled, if this is configured."""
        if self._copies is not None:
            await self._copies.run(nudge)

    async def aclose(self) -> None:
        """Close every connection. The jobs run on."""
        await self._api.aclose()
        if self._copies is not None:
            await self._copies.aclose()

    def _read(self, body: Mapping[str, Any]) -> Observation:
        return observation_of(body, self._now(), self._options.usd_per_second)
