"""Routes about jobs: submit, list, show, change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from actors.access.peer import Peer
from actors.access.permission import ADMIN, CHANGES_OWN_JOB, OWN_JOB, OWN_LISTING, RESEARCHER
from actors.api.answers import Answer, answer, page_document
from actors.api.bodies import JobEventsQuery, JobsQuery, RetryRequest, SettleRequest
from actors.api.body import holds_more, too_long, too_many
from actors.api.parsing import Raw
from actors.api.route import Call, Nothing, route
from actors.api.submission import SubmissionQuery, SubmitQuery
from actors.control.jobs import Jobs
from actors.documents.events import EventsDocument, event_document
from actors.documents.jobs import (
    AcceptedDocument,
    JobDocument,
    JobsDocument,
    RetriedDocument,
    accepted_document,
    job_document,
)
from actors.job_requests.job_request import request_from_mapping
from actors.job_requests.matrices import Request, request_of
from actors.job_requests.rights import authorized
from actors.jobs import maxima
from actors.jobs.events import EventType
from actors.jobs.ids import is_id
from actors.jobs.records import Job, JobRequest
from actors.jobs.refusal import RefusalKind, Refused, invalid
from actors.jobs.request_texts import first_not_utf8
from actors.jobs.sweeps import Sweep
from actors.jobs.views import JobOrder
from actors.kernel.turns import InTurns
from actors.validation import CheckedError, Problems, join

_INVALID = RefusalKind.INVALID
_MOST_FAULTS = 1_000
_WITHOUT_PROGRESS = tuple(one for one in EventType if one is not EventType.JOB_PROGRESS)
_KEY = {"Idempotency-Key": "The same key of the same user within 24 hours gives the same job."}


async def submit(
    call: Call[Raw[JobRequest | list[JobRequest]], SubmissionQuery],
) -> Answer[AcceptedDocument | list[AcceptedDocument]]:
    """Submit one job or a list of jobs; of a list either all are accepted or none. A job with a ``matrix`` counts as a
    list.

    201 with the new jobs, 200 if all of them existed already under their ``Idempotency-Key``. The answer to a list has
    no progress and no results.
    """
    body = call.body.data
    many = isinstance(body, list)
    if not many and call.body.size > maxima.BODY:
        raise too_long(maxima.BODY)
    requests = await _requests(body if many else [body], many)
    key = call.request.headers.get("idempotency-key")
    if key is not None:
        requests = [_keyed(requests, key, many)]
    asked, peer = call.query, call.peer
    authorized_ones = await _authorized(requests, peer, many, call.runtime.jobs)
    accepted = await call.runtime.jobs.submit_many(authorized_ones, asked.file, sees=peer.only_user, check=asked.check)
    many = many or isinstance(requests[0], Sweep)
    status = 201 if any(each.created for each in accepted) else 200
    documents = [accepted_document(each) async for each in InTurns(accepted)]
    return answer([_brief(each) for each in documents] if many else documents[0], status)


def _brief(document: AcceptedDocument) -> AcceptedDocument:
    """The document without progress and result: with them, an answer about thousands of jobs would have no bound."""
    return {**document, "progress": None, "result": None}


async def _requests(bodies: Sequence[Any], many: bool) -> list[Request]:
    """The requests in ``bodies``. Raises every fault of every job at once, up to a number that a person would read."""
    if len(bodies) > maxima.BATCH_JOBS:
        message = f"at most {maxima.BATCH_JOBS} jobs in one request, not {len(bodies)}; send them in several"
        raise Refused(message, _INVALID)
    faults, found, index = Problems(), [], 0
    async for body in InTurns(bodies):
        if holds_more(body, maxima.VALUES):
            raise too_many(maxima.VALUES)
        try:
            found.append(request_of(body, join("", index) if many else ""))
        except CheckedError as error:
            faults.extend(error.faults)
        index += 1
        if len(faults) > _MOST_FAULTS:
            break
    faults.check()
    if not found:
        raise Refused("there are no jobs", _INVALID)
    return found


async def _authorized(requests: Iterable[Request], peer: Peer, many: bool, jobs: Jobs) -> list[Request]:
    """``requests`` with the fields that ``peer`` may set. Raises :class:`Refused`."""
    found: list[Request] = []
    async for one in InTurns(requests):
        asked = one.request if isinstance(one, Sweep) else one
        index = len(found)
        if not (peer.is_local or peer.commands) and (field := first_not_utf8(asked)) is not None:
            # Over the network values are text: which bytes a configured program gets is the configuration's to say.
            where = join(join("", index), field) if many else field
            raise Refused(f"{where} must be UTF-8: other bytes are accepted on the Unix socket alone", _INVALID, where)
        where = f"job {index + 1}: " if many else ""
        mine = authorized(asked, peer.submitter, where)
        jobs.check_targets(mine, peer.submitter, where)
        found.append(attrs.evolve(one, request=mine) if isinstance(one, Sweep) else mine)
    return found


def _keyed(requests: list[Request], key: str, many: bool) -> JobRequest:
    """The one request with the key from its header, which is checked like one in the body."""
    asked = requests[0]
    if many or isinstance(asked, Sweep):
        raise Refused("Idempotency-Key is for one job; in a list each has its own idempotency_key", _INVALID)
    if asked.idempotency_key not in (None, key):
        message = "Idempotency-Key and idempotency_key differ; give one of the two"
        raise Refused(message, _INVALID, "idempotency_key")
    checked = request_from_mapping({"idempotency_key": key})
    return attrs.evolve(asked, idempotency_key=checked.idempotency_key)


async def listing(call: Call[Nothing, JobsQuery]) -> JobsDocument:
    """List jobs, newest first unless ``sort`` and ``order`` say otherwise."""
    asked = call.query
    before = asked.before
    if before is not None and not is_id(before):
        try:
            before = (await call.reading.jobs.named(before, call.peer.viewer, newest=True)).job.job_id
        except Refused as error:
            raise invalid("before", f"{error}; what `next` says goes into cursor") from None
    views = await call.reading.jobs.page(
        statuses=asked.status,
        user_id=call.visible_user(asked.user_id),
        org_id=asked.org_id,
        provider=asked.provider,
        name=asked.name,
        group=asked.group,
        text=asked.q,
        since=asked.since,
        until=asked.until,
        before=before,
        order=JobOrder(asked.sort, descending=asked.order == "desc"),
        limit=asked.limit,
        cursor=asked.cursor,
        caller=call.by,
    )
    return page_document(JobsDocument, "jobs", views, job_document)


async def showing(call: Call[Nothing, Nothing]) -> JobDocument:
    """Show one job, by its id, its name, or the beginning or end of its id; if several jobs have the name, the newest.

    In this case the header ``X-Newest-Job`` says how many there are.
    """
    return job_document(await call.reading.jobs.get(call.path("job_id")))


async def cancel(call: Call[Nothing, Nothing]) -> Answer[JobDocument]:
    """Cancel a job: 200 if it has ended, 202 if its provider is being asked to end it."""
    job = await call.runtime.cancel(call.path("job_id"), by=call.by, level=call.peer.level)
    return answer(await _shown(call, job), 200 if job.is_terminal else 202)


async def retry(call: Call[RetryRequest, SubmitQuery]) -> RetriedDocument:
    """Submit an ended job again as a new job of yours, with ``changes``, and with the fields that you may set."""
    job, *others = await call.runtime.jobs.submit_again(
        call.path("job_id"), submitter=call.peer.submitter, with_dependants=call.body.with_dependants,
        check=call.query.check, changes=call.body.changes,
    )  # fmt: skip
    warnings = [text for one in (job, *others) for text in one.warnings]
    also_submitted = [one.job.job_id for one in others]
    return {**accepted_document(job), "warnings": warnings, "also_submitted": also_submitted}


async def settle(call: Call[SettleRequest, Nothing]) -> JobDocument:
    """Record how an uncertain job ended."""
    body = call.body
    job = await call.runtime.jobs.settle(call.path("job_id"), body.verdict, handle=body.handle, by=call.by)
    return await _shown(call, job)


async def job_events(call: Call[Nothing, JobEventsQuery]) -> EventsDocument:
    """List the events of one job, oldest first."""
    asked = call.query
    view = await call.reading.jobs.get(call.path("job_id"))
    types = () if asked.progress else _WITHOUT_PROGRESS
    events = await call.reading.event_reader.past_events(
        after=asked.after, limit=asked.limit, job_id=view.job.job_id, types=types
    )
    return page_document(EventsDocument, "events", events, event_document, number=True)


async def _shown(call: Call[Any, Any], job: Job) -> JobDocument:
    return job_document(await call.reading.jobs.get(job.job_id))


ROUTES = [
    route("POST", "/api/jobs", submit, RESEARCHER, status=(201, 200), headers=_KEY, body_bytes=maxima.BATCH),
    route("GET", "/api/jobs", listing, OWN_LISTING),
    route("GET", "/api/jobs/{job_id}", showing, OWN_JOB),
    route("POST", "/api/jobs/{job_id}/cancel", cancel, CHANGES_OWN_JOB, status=(200, 202)),
    route("POST", "/api/jobs/{job_id}/retry", retry, CHANGES_OWN_JOB, status=201),
    route("POST", "/api/jobs/{job_id}/settle", settle, ADMIN),
    route("GET", "/api/jobs/{job_id}/events", job_events, OWN_JOB),
]
