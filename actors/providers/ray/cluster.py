"""The calls of Ray's Jobs REST API, each answered by what it means: https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html

Ray reports errors as a traceback in plain text, mostly with status 500: such an answer is no network failure, and the
request is not repeated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from actors.providers import errors
from actors.providers.http import Answer, ProviderClient
from actors.providers.ray.statuses import last_words
from actors.providers.samples import sample

if TYPE_CHECKING:
    import httpx

    from actors.providers.ray.options import RayOptions

# Refusals that come back as answers, so that their last line can be shown instead of the traceback's beginning.
_REFUSALS = (400, 404, 500)
_MOST_JOBS = 256 * 1024 * 1024  # bytes of the list: some 100,000 jobs with their environments
_LIST_SECONDS = 15.0


class Cluster:
    """The head at ``options.address``. ``transport`` is for tests."""

    def __init__(self, name: str, options: RayOptions, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.name = name
        self._options = options
        self._client = ProviderClient(
            name,
            options.address,
            headers=self.credentials,
            auth=f"{name} does not accept the token: set the environment variable {options.token_env}",
            unauthorized=(401, 403),  # no token, and a wrong one
            transport=transport,
        )

    def credentials(self) -> dict[str, str]:
        """Return the headers that authenticate us, from the present environment."""
        token = os.environ.get(self._options.token_env)
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def version(self) -> Mapping[str, Any]:
        """Return ``ray_version`` and ``session_name``: that of the head's session, which is new after each restart."""
        return (await self._ask("GET", "/api/version")).object()

    async def session(self) -> str:
        """Return the name of the head's present session."""
        found = (await self.version()).get("session_name")
        return found if isinstance(found, str) else ""

    async def post_job(self, request: Mapping[str, Any]) -> Answer:
        """Send a submission, and return Ray's answer, also a refusal (400, 404, 500). Raises ``OutcomeUnknown``."""
        return await self._client.request("POST", "/api/jobs/", json=request, repeatable=False, accept=_REFUSALS)

    async def job(self, job_id: str) -> dict[str, Any] | None:
        """Return the cluster's record of one job, or None where it has none."""
        answer = await self._ask("GET", f"/api/jobs/{job_id}", missing=True)
        return None if answer.status == 404 else answer.object()

    async def jobs(self) -> dict[str, Mapping[str, Any]]:
        """Return every job that was submitted, by its id."""
        answer = await self._ask("GET", "/api/jobs/", most_bytes=_MOST_JOBS, deadline=_LIST_SECONDS)
        found = answer.json()
        if not isinstance(found, list):
            raise errors.Protocol(f"{self.name} lists its jobs as {sample(answer.body)!r}")
        entries = [entry for entry in found if isinstance(entry, dict)]
        return {entry["submission_id"]: entry for entry in entries if isinstance(entry.get("submission_id"), str)}

    async def stop(self, job_id: str) -> bool | None:
        """Ask for the end of a job. Returns whether there was something to stop, or None where there is no such job."""
        answer = await self._ask("POST", f"/api/jobs/{job_id}/stop", missing=True)
        return None if answer.status == 404 else bool(answer.object().get("stopped"))

    async def delete(self, job_id: str) -> None:
        """Remove what is kept of an ended job, if anything. Raises :class:`errors.Conflict` for a job that has not
        ended.
        """
        answer = await self._answer("DELETE", f"/api/jobs/{job_id}", repeatable=True)
        if answer.status in (400, 500):
            raise errors.Conflict(f"{self.name} did not delete job {job_id}: {self.words(answer)}")

    async def log(self, job_id: str) -> bytes:
        """Return the whole output of a job so far (empty: there is none). Bytes that are not UTF-8 are replaced.

        Raises :class:`errors.ProviderError` where the head cannot read that file, which says nothing about other files.
        """
        path = f"/api/jobs/{job_id}/logs"
        # In JSON a character may take six bytes.
        answer = await self._answer("GET", path, repeatable=True, most_bytes=6 * self._options.log_bytes)
        if answer.status in (400, 500):
            raise errors.ProviderError(f"{self.name} cannot read the output of job {job_id}: {self.words(answer)}")
        text = "" if answer.status == 404 else answer.object().get("logs")
        return text.encode("utf-8", "replace") if isinstance(text, str) else b""

    async def has_package(self, name: str) -> bool:
        """Return whether the cluster holds this package. A package that was asked for stays there for the next ten
        minutes.
        """
        return (await self._ask("GET", f"/api/packages/gcs/{name}", missing=True)).status != 404

    async def put_package(self, name: str, content: bytes) -> None:
        """Upload a package to the cluster, under a name that is made from its content."""
        kind = {"Content-Type": "application/octet-stream"}
        await self._ask("PUT", f"/api/packages/gcs/{name}", content=content, headers=kind)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def words(self, answer: Answer) -> str:
        """Return the reason of a refusal as one line."""
        return last_words(answer.body[-4096:].decode("utf-8", "replace")) or f"status {answer.status}"

    async def _ask(self, method: str, path: str, *, missing: bool = False, **options: Any) -> Answer:
        """Return an answer that is not a refusal. ``missing``: 404 is an answer too. These calls may be repeated."""
        answer = await self._answer(method, path, repeatable=True, **options)
        if answer.status == 400:
            raise errors.Invalid(f"{self.name} refused {method} {path}: {self.words(answer)}")
        if answer.status == 404 and not missing:
            raise errors.NotFound(f"{self.name} has no {path}: is {self._options.address} a Ray dashboard?")
        if answer.status == 500:
            raise errors.Unavailable(f"{self.name} failed at {method} {path}: {self.words(answer)}", reached=True)
        return answer

    async def _answer(self, method: str, path: str, **options: Any) -> Answer:
        return await self._client.request(method, path, accept=_REFUSALS, **options)
