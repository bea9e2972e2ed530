"""Every call of a provider, every kind of provider that can be configured, and what answers the remote ones well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx

from actors.jobs.records import JobRequest
from actors.providers.base import Prepared, Provider
from actors.providers.guard import GuardedProvider
from actors.providers.local import LocalOptions, LocalProvider
from actors.providers.ray import RayOptions, RayProvider
from actors.providers.replicate import ReplicateOptions, ReplicateProvider
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.providers.slurm import SlurmOptions, SlurmProvider

IDS = ("ja-1", "jb-1")
HANDLES = {key: {"id": key, "session": "s1", "run": key, "dir": key} for key in IDS}


async def submit(provider: GuardedProvider, key: str) -> object:
    return await provider.submit(key, "token", PREPARED[provider.name], {"job_id": key})


PREPARED: dict[str, Prepared] = {}

# By the guard's method and how it is used: what is asked, and of how many jobs: one, or the provider as a whole.
CALLS: Mapping[str, tuple[Callable[[GuardedProvider, str], Awaitable[object]], bool]] = {
    "check": (lambda provider, _key: provider.check(), False),
    "submit": (submit, True),
    "find": (lambda provider, key: provider.find(key, "token"), True),
    "observe_many": (lambda provider, _key: provider.observe_many(HANDLES), False),
    "observe_many of one": (lambda provider, key: provider.observe_many({key: HANDLES[key]}), True),
    "cancel": (lambda provider, key: provider.cancel(key, HANDLES[key]), True),
    "logs": (lambda provider, key: provider.logs(key, HANDLES[key]), True),
    "log_cursor": (lambda provider, key: provider.log_cursor(key, HANDLES[key], lines=1, since=None), True),
    "records_since": (lambda provider, _key: provider.records_since(), False),
    "list_jobs": (lambda provider, _key: provider.list_jobs(), False),
    "delivery_secrets": (lambda provider, _key: provider.delivery_secrets(fresh=True), False),
    "forget": (lambda provider, key: provider.forget(key, HANDLES[key]), True),
}
NEVER = {"logs", "log_cursor"}
"""Calls whose failures never count against anybody: a job's output."""


def real_one(kind: str, tmp_path: Path, transport: httpx.AsyncBaseTransport | None = None) -> Provider:
    match kind:
        case "local":
            return LocalProvider(LocalOptions(), tmp_path)
        case "ray":
            return RayProvider(RayOptions(), transport=transport)
        case "replicate":
            return ReplicateProvider(ReplicateOptions(token_input="token", settle_seconds=0), transport=transport)
        case "slurm":
            return SlurmProvider(SlurmOptions(), tmp_path)
        case "scripted":
            return ScriptedProvider(ScriptedOptions(), ScriptedRemote())
    raise AssertionError(f"this test does not know providers of kind {kind}")


def ray_says(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    if path == "/api/version":
        return httpx.Response(200, json={"ray_version": "2.60.0", "session_name": "s1"})
    if path.endswith("/stop"):
        return httpx.Response(200, json={"stopped": True})
    if path.endswith("/logs"):
        return httpx.Response(200, json={"logs": "said\n"})
    if request.method == "DELETE":
        return httpx.Response(200, json={"deleted": True})
    if path == "/api/jobs/":
        jobs = [{"submission_id": key, "status": "RUNNING"} for key in IDS]
        return httpx.Response(200, json=jobs if request.method == "GET" else {"submission_id": "new"})
    return httpx.Response(200, json={"submission_id": path.rpartition("/")[2], "status": "RUNNING", "metadata": {}})


def replicate_says(request: httpx.Request) -> httpx.Response:
    path = request.url.path
    job = {"id": path.removesuffix("/cancel").rpartition("/")[2], "status": "processing"}
    if path.endswith("/secret"):
        return httpx.Response(200, json={"key": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    if path in ("/v1/predictions", "/v1/trainings"):
        return httpx.Response(200, json={"results": [{"id": key, "status": "processing"} for key in IDS]})
    return httpx.Response(201 if request.method == "POST" and "cancel" not in path else 200, json=job)


REMOTES = {
    "ray": (ray_says, JobRequest(command=("true",))),
    "replicate": (replicate_says, JobRequest(spec={"model": "ana/model", "input": {}})),
}
