"""Submits a job so that it exists only once, even if the answer is lost.

We choose the id, and Ray refuses a second job with the same id; but the way it refuses (status 500, a traceback) is not
reliable. So whenever the answer is not a plain yes, the provider asks for the id: the token in the metadata of the job
says whose job it is.

A head that does not know the id proves nothing if it was restarted since, because it then has forgotten every job, or
if the submission may still be on its way. So the head's session is noted before each submission, for this process and
for the next one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
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
from actors.providers.submission_notes import SubmissionNotes
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


@attrs.define
class _Unanswered:
    """A submission without a clear answer, and the head's ``session`` in which it was sent; None: not known.

    ``ended``: trio's time when its answer was given up; None: not yet.
    """

    session: str | None
    ended: float | None = None


@attrs.frozen
class Submitter:
    """Submits jobs to one cluster."""

    _cluster: Cluster
    _options: RayOptions
    _outputs: SharedOutputs
    _notes: SubmissionNotes
    _uploading: trio.Lock = attrs.field(factory=trio.Lock)  # jobs of one directory come at once: the second finds it
    _unanswered: dict[str, _Unanswered] = attrs.field(factory=dict)

    async def submit(
        self, job_id: str, token: str, body: Mapping[str, Any], context: Mapping[str, str]
    ) -> tuple[str, Existing]:
        """Return the head's session, and the record that was there already under this id; None: the job is new."""
        session = await self._cluster.session()
        request = await self._complete(job_id, token, body, context)
        await self._notes.write(job_id, {"session": session})
        self._unanswered[job_id] = unanswered = _Unanswered(session)
        try:
            answer = await self._cluster.post_job(request)
            if answer.status == 200:
                _check_accepted(answer, job_id)
        except (errors.Unavailable, errors.Auth, errors.RateLimited):
            self._settle(job_id)
            raise
        except errors.ProviderError as error:
            if (existing := await self._existing(request)) is None:  # noqa: ASYNC120 - cancelled: an unknown outcome
                # The request may still be under way to where it was not found a moment ago.
                raise errors.OutcomeUnknown(str(error)) from error
        else:
            existing = None if answer.status == 200 else await self._refused(answer, request)
        finally:
            unanswered.ended = trio.current_time()
        self._unanswered.pop(job_id, None)  # the note is kept until the handle is in the rows
        return session, existing

    async def is_surely_absent(self, job_id: str) -> bool:
        """Return whether a job that the head did not know a moment ago was certainly not accepted.

        Raises :class:`errors.ProviderError` while a submission without an answer may still be accepted.
        """
        unanswered = self._unanswered.get(job_id) or await self._noted(job_id)
        if unanswered is None:
            return True
        if unanswered.session != await self._cluster.session():  # asked after the job: the head may have been restarted
            return False
        now = trio.current_time()
        left = LATE_SECONDS - (now - (now if unanswered.ended is None else unanswered.ended))
        if left > 0:
            raise errors.ProviderError(f"not found, and too soon to be sure: asked again within {left:.0f} s")
        self._settle(job_id)
        return True

    async def drop(self, job_ids: Collection[str]) -> None:
        """Remove what is noted of these jobs, whose handles are in the rows."""
        for job_id in job_ids:
            self._unanswered.pop(job_id, None)
        await self._notes.drop(job_ids)

    def _settle(self, job_id: str) -> None:
        self._unanswered.pop(job_id, None)
        self._notes.settle(job_id)

    async def _noted(self, job_id: str) -> _Unanswered | None:
        """What an earlier process has sent, perhaps a moment ago."""
        note = await self._notes.read(job_id)
        if note is None:
            return None
        self._unanswered[job_id] = unanswered = _Unanswered(note.get("session"), ended=trio.current_time())
        return unanswered

    async def _refused(self, answer: Answer, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The job that was there before. Raises what the refusal means where there is none."""
        existing = await self._existing(request)
        if existing is not None:
            return existing
        self._settle(request["submission_id"])
        words = f"{self._cluster.name} did not accept the job: {self._cluster.words(answer)}"
        raise errors.Invalid(words) if answer.status == 400 else errors.Unavailable(words, reached=True)

    async def _existing(self, request: Mapping[str, Any]) -> Existing:
        """The job of ``request``, if the head has it. Raises :class:`errors.OutcomeUnknown` where that could not be
        asked, and where an earlier submission of the same attempt was accepted late.
        """
        job_id, ours = request["submission_id"], request["metadata"]
        with errors.explained_as(
            errors.OutcomeUnknown, f"whether job {job_id} was accepted is not known", errors.ProviderError
        ):
            found = await self._cluster.job(job_id)
        if found is None or is_ours(found, ours[TOKEN]):
            return found
        if is_greenrooms(found) and found["metadata"].get(JOB_ID) == ours[JOB_ID]:
            words = "it has another token, as if an earlier submission had been accepted late"
            raise errors.OutcomeUnknown(f"{self._cluster.name} has a job {job_id} of this job already; {words}")
        self._settle(job_id)
        raise errors.Conflict(f"{self._cluster.name} has a job {job_id} that is not ours")

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
