"""Submits a job so that it exists only once, even if the answer is lost.

We choose the id, and Ray refuses a second job with the same id; but the way it refuses (status 500, a traceback) is not
reliable. So whenever the answer is not a plain yes, the provider asks for the id: the token in the metadata of the job
says whose job it is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.providers import errors
from actors.providers.http import Answer
from actors.providers.ray.cluster import Cluster
from actors.providers.ray.options import RayOptions
from actors.providers.ray.packages import pack
from actors.providers.ray.preparing import CORRELATION_ID, JOB_ID, TOKEN
from actors.providers.shared_outputs import SharedOutputs
from logconf.masking import register_secret

Existing = Mapping[str, Any] | None


LATE_SECONDS = 10.0
"""After a lost answer, how long a submission may still be accepted: the head waits some 4 s for its agent (2.60)."""


def is_ours(details: Mapping[str, Any], token: str) -> bool:
    """Return whether the job at Ray has our ``token``."""
    metadata = details.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get(TOKEN) == token


def is_greenrooms(details: Mapping[str, Any]) -> bool:
    """Return whether a Greenroom submitted the job at Ray: its id is then the key of a job there."""
    metadata = details.get("metadata")
    return isinstance(metadata, Mapping) and TOKEN in metadata


def _check_accepted(answer: Answer, job_id: str) -> None:
    """Raise :class:`errors.Protocol` for an answer that is not the head's, such as a proxy's page."""
    found = answer.object()
    if job_id not in (found.get("submission_id"), found.get("job_id")):
        raise errors.Protocol(f"the answer to a submission does not name job {job_id}")


@attrs.frozen
class Submitter:
    """Submits jobs to one cluster."""

    _cluster: Cluster
    _options: RayOptions
    _outputs: SharedOutputs
    _uploading: trio.Lock = attrs.field(factory=trio.Lock)  # jobs of one directory come at once: the second finds it
    _unanswered: dict[str, str] = attrs.field(factory=dict)
    _lost_at: dict[str, float] = attrs.field(factory=dict)  # when the answer was lost, by trio's clock

    def asked_in(self, job_id: str) -> str | None:
        """Return the head's session in which this process sent a submission without an answer; None: it sent none."""
        return self._unanswered.get(job_id)

    def check_not_too_soon(self, job_id: str) -> None:
        """Raise :class:`errors.ProviderError` if a submission without an answer may still be accepted."""
        left = LATE_SECONDS - (trio.current_time() - self._lost_at.get(job_id, -math.inf))
        if left > 0:
            raise errors.ProviderError(f"not found, and too soon to be sure: asked again within {left:.0f} s")
        self._lost_at.pop(job_id, None)

    async def submit(
        self, job_id: str, token: str, body: Mapping[str, Any], context: Mapping[str, str]
    ) -> tuple[str, Existing]:
        """Return the head's session, and the record that was there already under this id; None: the job is new."""
        session = await self._cluster.session()
        request = await self._complete(job_id, token, body, context)
        self._unanswered[job_id] = session
        try:
            answer = await self._cluster.post_job(request)
            if answer.status == 200:
                _check_accepted(answer, job_id)
        except (errors.Unavailable, errors.Auth, errors.RateLimited):
            self._unanswered.pop(job_id, None)
            raise
        except errors.ProviderError as error:
            self._lost_at[job_id] = trio.current_time()
            if (existing := await self._existing(job_id, token, request)) is None:  # noqa: ASYNC120 - cancelled: an unknown outcome
                # The request may still be under way to where it was not found a moment ago.
                raise errors.OutcomeUnknown(str(error)) from error
        else:
            existing = None if answer.status == 200 else await self._refused(job_id, token, answer, request)
        self._unanswered.pop(job_id, None)
        self._lost_at.pop(job_id, None)
        return session, existing

    async def _refused(self, job_id: str, token: str, answer: Answer, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The job that was there before. Raises what the refusal means where there is none."""
        existing = await self._existing(job_id, token, request)
        if existing is not None:
            return existing
        self._unanswered.pop(job_id, None)
        words = f"{self._cluster.name} did not accept the job: {self._cluster.words(answer)}"
        raise errors.Invalid(words) if answer.status == 400 else errors.Unavailable(words, reached=True)

    async def _existing(self, job_id: str, token: str, request: Mapping[str, Any]) -> Existing:
        """Our job under this id. Raises :class:`errors.OutcomeUnknown` where that could not be asked, and where an
        earlier submission of the same attempt was accepted late.
        """
        with errors.explained_as(
            errors.OutcomeUnknown, f"whether job {job_id} was accepted is not known", errors.ProviderError
        ):
            found = await self._cluster.job(job_id)
        if found is None:
            return None
        if not is_ours(found, token):
            if is_greenrooms(found) and found["metadata"].get(JOB_ID) == request["metadata"][JOB_ID]:
                words = "it has another token, as if an earlier submission had been accepted late"
                raise errors.OutcomeUnknown(f"{self._cluster.name} has a job {job_id} of this job already; {words}")
            self._unanswered.pop(job_id, None)
            raise errors.Conflict(f"{self._cluster.name} has a job {job_id} that is not ours")
        return found

    async def _complete(
        self, job_id: str, token: str, body: Mapping[str, Any], context: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the request with the job's names, the place of its directory, and the secrets that it asks for."""
        request = dict(body["request"])
        job, correlation = context.get("job_id", job_id), context.get("correlation_id", "")
        runtime_env = dict(request["runtime_env"])
        runtime_env["env_vars"] = {
            **runtime_env.get("env_vars", {}),
            **self._secrets(body["secret_env"]),
            **await self._outputs.variables(job_id, context),
        }
        if body["upload"] is not None:
            runtime_env["working_dir"] = await self._upload(Path(body["upload"]))
        metadata = {**request["metadata"], TOKEN: token, JOB_ID: job, CORRELATION_ID: correlation}
        return {**request, "submission_id": job_id, "runtime_env": runtime_env, "metadata": metadata}

    def _secrets(self, names: list[str]) -> dict[str, str]:
        """Their values, which stand in no row of ours. Raises :class:`errors.Invalid` for one that is not set."""
        found = {}
        for name in names:
            value = os.environ.get(name)
            if value is None:
                words = f": {name} is not set in the supervisor's environment"
                raise errors.Invalid(errors.wrong("spec.secret_env", words))
            register_secret(value)
            found[name] = value
        return found

    async def _upload(self, directory: Path) -> str:
        """Return the address of the directory's content at the cluster. It is uploaded if it is not there yet."""
        limits = (self._options.exclude, self._options.upload_bytes)
        package = await trio.to_thread.run_sync(lambda: pack(directory, *limits), abandon_on_cancel=True)
        async with self._uploading:
            if not await self._cluster.has_package(package.name):
                await self._cluster.put_package(package.name, package.content)
        return package.uri
