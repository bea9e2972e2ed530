"""A head that gives the answers it is told to give, in Ray's own words, and remembers what it was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import httpx

from actors.jobs.records import JobRequest
from actors.providers.base import Submitted
from actors.providers.ray import RayOptions, RayProvider
from actors.providers.ray.preparing import TOKEN

SESSION = "session_2026-01-01_00-00-00_000000_1"
VERSION = {"version": "4", "ray_version": "2.60.0", "ray_commit": "x", "session_name": SESSION}

TRACEBACK = """Traceback (most recent call last):
  File "/opt/ana/site-packages/ray/dashboard/modules/job/job_head.py", line 431, in submit_job
    resp = await job_agent_client.submit_job_internal(submit_request)
RuntimeError: Request failed with status code 400: {}.
"""


def text(status: int, words: str) -> httpx.Response:
    """As Ray says what went wrong."""
    return httpx.Response(status, text=words)


def already_exists(job_id: str = "k1") -> httpx.Response:
    return text(500, TRACEBACK.format(f"Job with submission_id {job_id} already exists"))


def unknown(job_id: str = "k1") -> httpx.Response:
    return text(404, f"Job {job_id} does not exist")


def details(status: str = "RUNNING", job_id: str = "k1", token: str = "t1", **more: Any) -> dict[str, Any]:
    """One job as Ray tells of it."""
    return {
        "type": "SUBMISSION", "job_id": None, "submission_id": job_id, "status": status, "entrypoint": "true",
        "message": None, "error_type": None, "start_time": 1_700_000_000_000, "end_time": None,
        "metadata": {TOKEN: token}, "runtime_env": {}, "driver_exit_code": None, **more,
    }  # fmt: skip


@attrs.define
class Canned:
    """Answers by ``"METHOD /path"``; a tuple is used up one by one, but for its last."""

    answers: dict[str, Any] = attrs.field(factory=dict)
    requests: list[httpx.Request] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.answers.setdefault("GET /api/version", VERSION)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def provider(self, root: Path | None = None, **options: Any) -> RayProvider:
        return RayProvider(RayOptions(**options), root, transport=self.transport)

    def asked(self, call: str) -> list[httpx.Request]:
        """The requests of one kind."""
        return [one for one in self.requests if f"{one.method} {one.url.path}" == call]

    def sent(self) -> dict[str, Any]:
        """The body of the one submission."""
        (request,) = self.asked("POST /api/jobs/")
        found: dict[str, Any] = json.loads(request.content)
        return found

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        call = f"{request.method} {request.url.path}"
        assert call in self.answers, f"nobody expected {call}"
        answer = self.answers[call]
        if isinstance(answer, tuple):
            answer, *later = answer
            self.answers[call] = tuple(later) or answer
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(request)
        if not isinstance(answer, httpx.Response):
            return httpx.Response(200, json=answer)
        return httpx.Response(answer.status_code, content=answer.content, headers=dict(answer.headers))


async def submit(provider: RayProvider, request: JobRequest | None = None, key: str = "k1") -> Submitted:
    """Hand a job over, as the runtime does."""
    prepared = provider.prepare(request or JobRequest(command=("true",)))
    return await provider.submit(key, "t1", prepared, {"job_id": "j1", "correlation_id": "c1"})
