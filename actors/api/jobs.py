"""Routes about jobs: submitting, looking, changing, reading their output."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from enum import StrEnum
from http import HTTPStatus
from typing import Any, TypeVar

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actors.access.rightful import rightful
from actors.api.asking import (
    answer,
    asker,
    body_of,
    by,
    field,
    fields_of,
    number,
    one,
    query_of,
    runtime_of,
    truth,
    user_shown,
)
from actors.api.documents import accepted_document, job_document
from actors.api.streams import Streamed, Write
from actors.checked_yaml import CheckedError, Faults, join
from actors.control import RefusalKind, Refused
from actors.job_request import request_from_mapping
from actors.jobs.guessing import did_you_mean
from actors.jobs.records import ApprovalStatus, Job, JobRequest, JobStatus

MOST_JOBS = 1000
"""Jobs of one page."""
_SETTLED = ("verdict", "handle")

Status = TypeVar("Status", JobStatus, ApprovalStatus)


async def submit(request: Request) -> Response:
    """One job, or a list of which all are accepted or none. 201 with what was made, 200 where all was there already."""
    body = await body_of(request)
    many = isinstance(body, list)
    requests = _requests(body if many else [body], request, many)
    key = request.headers.get("idempotency-key")
    if key is not None:
        requests = [_keyed(requests, key, many)]
    accepted = await runtime_of(request).submit_many(requests)
    status = HTTPStatus.CREATED if any(each.created for each in accepted) else HTTPStatus.OK
    documents = [accepted_document(each) for each in accepted]
    return answer(documents if many else documents[0], status)


def _requests(bodies: Iterable[Any], request: Request, many: bool) -> list[JobRequest]:
    """Every fault of every job at once; a job that names no user is its submitter's."""
    peer, faults, found = asker(request), Faults(), []
    for index, body in enumerate(bodies):
        try:
            asked = request_from_mapping(body, join("", index) if many else "")
        except CheckedError as error:
            faults.extend(error.faults)
            continue
        found.append(asked)
    faults.check()
    if not found:
        raise Refused("there are no jobs", RefusalKind.INVALID)
    return [rightful(asked, peer) for asked in found]


def _keyed(requests: list[JobRequest], key: str, many: bool) -> JobRequest:
    """The one request under the key of its header, checked as one in the body would be."""
    asked = requests[0]
    if many:
        raise Refused("Idempotency-Key is for one job; in a list each has its own idempotency_key", RefusalKind.INVALID)
    if asked.idempotency_key not in (None, key):
        message = "Idempotency-Key and idempotency_key differ; give one of the two"
        raise Refused(message, RefusalKind.INVALID, "idempotency_key")
    checked = request_from_mapping({"idempotency_key": key})
    return attrs.evolve(asked, idempotency_key=checked.idempotency_key)


async def listing(request: Request) -> Response:
    """A page of jobs, newest first; ``next`` goes into ``before`` for the page after."""
    query = query_of(request, ("status", "user_id", "provider", "before", "limit"))
    limit = number(query, "limit", 100, MOST_JOBS)
    views = await runtime_of(request).jobs(
        statuses=statuses(query.get("status", ()), JobStatus),
        user_id=user_shown(request, one(query, "user_id")),
        provider=one(query, "provider"),
        before=one(query, "before"),
        limit=limit,
    )
    last = views[-1].job.job_id if views and len(views) == limit else None
    return answer({"jobs": [job_document(view) for view in views], "next": last})


def statuses(texts: Iterable[str], kind: type[Status]) -> list[Status]:
    """The states that were named; a refusal with a guess for what is none."""
    known: dict[str, StrEnum] = {each.value: each for each in kind}
    found = []
    for text in texts:
        if text not in known:
            guess = did_you_mean(text[:80], known)
            raise Refused(f"there is no status {text!r:.80}{guess}", RefusalKind.INVALID, "status")
        found.append(kind(text))
    return found


async def showing(request: Request) -> Response:
    """One job by its id or by what begins or ends exactly one id."""
    return answer(job_document(await runtime_of(request).job(request.path_params["job_id"])))


async def cancel(request: Request) -> Response:
    """End a job: 200 where it has ended, 202 where its provider is being asked to end it (B14)."""
    job = await runtime_of(request).cancel(request.path_params["job_id"], by=by(request))
    return await _shown(request, job, HTTPStatus.OK if job.is_terminal else HTTPStatus.ACCEPTED)


async def retry(request: Request) -> Response:
    """A new job that asks for the same as an ended one."""
    job = await runtime_of(request).retry(request.path_params["job_id"], by=by(request))
    return await _shown(request, job, HTTPStatus.CREATED)


async def settle(request: Request) -> Response:
    """A person's word on an uncertain job: ``verdict`` is ran (with its ``handle``), not_run or failed (B13)."""
    given = await fields_of(request, _SETTLED)
    handle = field(given, "handle", dict) if given.get("handle") is not None else None
    verdict = field(given, "verdict", str, "")
    job = await runtime_of(request).settle(request.path_params["job_id"], verdict, handle=handle, by=by(request))
    return await _shown(request, job, HTTPStatus.OK)


async def prioritise(request: Request) -> Response:
    """Override a waiting job's priority; null takes the override away (B9)."""
    given = await fields_of(request, ("priority_override",))
    if "priority_override" not in given:
        raise Refused("priority_override: is missing", RefusalKind.INVALID, "priority_override")
    override = None if given["priority_override"] is None else field(given, "priority_override", int)
    view = await runtime_of(request).set_priority(request.path_params["job_id"], override, by=by(request))
    return answer(job_document(view))


async def logs(request: Request) -> Response:
    """A job's output as it was written; with ``follow=true`` until the job ends. ``cursor`` goes on from there."""
    query = query_of(request, ("follow", "cursor"))
    runtime, follow = runtime_of(request), truth(query, "follow")
    view = await runtime.job(request.path_params["job_id"])
    cursor = one(query, "cursor")
    # Whatever refuses refuses before the answer begins; who follows cannot wait for a first piece.
    source = runtime.logs(view.job.job_id, cursor)
    first = None if follow else await anext(source, None)

    async def produce(write: Write) -> None:
        if first is not None:
            await write(first[0])
        async with aclosing(source) as chunks:  # type: ignore[type-var]
            async for data, _cursor in chunks:
                await write(data)

    async def follow_it(write: Write) -> None:
        async with runtime.follow_logs(view.job.job_id, cursor) as chunks:
            async for data, _cursor in chunks:
                await write(data)

    return Streamed(follow_it if follow else produce, "application/octet-stream")


async def _shown(request: Request, job: Job, status: HTTPStatus) -> Response:
    return answer(job_document(await runtime_of(request).job(job.job_id)), status)


ROUTES = [
    Route("/api/jobs", submit, methods=["POST"]),
    Route("/api/jobs", listing, methods=["GET"]),
    Route("/api/jobs/{job_id}", showing, methods=["GET"]),
    Route("/api/jobs/{job_id}", prioritise, methods=["PATCH"]),
    Route("/api/jobs/{job_id}/cancel", cancel, methods=["POST"]),
    Route("/api/jobs/{job_id}/retry", retry, methods=["POST"]),
    Route("/api/jobs/{job_id}/settle", settle, methods=["POST"]),
    Route("/api/jobs/{job_id}/logs", logs, methods=["GET"]),
]
