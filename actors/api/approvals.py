"""Routes about approval requests: list them, decide one or many, withdraw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from actors.access.permission import CHANGES_OWN_APPROVAL, LEAD, OWN_APPROVAL, OWN_LISTING
from actors.api.answers import page_document
from actors.api.bodies import ApprovalsQuery, DecisionRequest, RejectRequest
from actors.api.route import Call, Nothing, route
from actors.documents.approvals import (
    ApprovalDocument,
    ApprovalsDocument,
    DecisionDocument,
    DecisionsDocument,
    approval_document,
    listed_approval_document,
)
from actors.jobs.records import ApprovalRequest
from actors.jobs.refusal import Refused


async def listing(call: Call[Nothing, ApprovalsQuery]) -> ApprovalsDocument:
    """List approval requests, newest first. Users who may see only their own jobs get the requests of those."""
    asked, peer = call.query, call.peer
    found = await call.reading.approvals.page(
        statuses=asked.status, limit=asked.limit, cursor=asked.cursor, user_id=peer.only_user, caller=peer.name
    )
    jobs = await call.reading.approvals.jobs_of(found)
    return page_document(ApprovalsDocument, "approvals", found, partial(listed_approval_document, jobs=jobs))


async def showing(call: Call[Nothing, Nothing]) -> ApprovalDocument:
    """Show one approval request, named by its id or by its job's."""
    return approval_document(await call.reading.approvals.get(call.path("approval_id")))


async def approve(call: Call[Nothing, Nothing]) -> ApprovalDocument:
    """Grant a request; its job may then run."""
    decided = await call.runtime.approve(call.path("approval_id"), by=call.by, level=call.peer.level)
    return approval_document(decided)


async def reject(call: Call[RejectRequest, Nothing]) -> ApprovalDocument:
    """Reject a request; its job is cancelled."""
    level, reason = call.peer.level, call.body.reason
    decided = await call.runtime.reject(call.path("approval_id"), by=call.by, reason=reason, level=level)
    return approval_document(decided)


async def withdraw(call: Call[Nothing, Nothing]) -> ApprovalDocument:
    """Withdraw a request before it is decided; its job is cancelled.

    Everybody may withdraw the request of their own job; for another job the caller must be allowed to decide the
    request.
    """
    withdrawn = await call.runtime.approvals.withdraw(call.path("approval_id"), by=call.by, level=call.peer.level)
    return approval_document(withdrawn)


async def decide_many(call: Call[DecisionRequest, Nothing]) -> DecisionsDocument:
    """Approve or reject many requests independently: if one cannot be decided, the others still are."""
    runtime = call.runtime  # without a supervisor all is refused at once
    who = {"by": call.by, "level": call.peer.level}
    if call.body.decision == "approve":
        decide = partial(runtime.approve, **who)
    else:
        decide = partial(runtime.reject, **who, reason=call.body.reason)
    return {"results": [await _decided(decide, each) for each in dict.fromkeys(call.body.approval_ids)]}


async def _decided(decide: Callable[[str], Awaitable[ApprovalRequest]], approval_id: str) -> DecisionDocument:
    try:
        document = approval_document(await decide(approval_id))
    except Refused as error:
        return {"approval_id": approval_id, "decided": False, "approval": None, "problem": str(error)}
    return {"approval_id": approval_id, "decided": True, "approval": document, "problem": None}


ROUTES = [
    route("GET", "/api/approvals", listing, OWN_LISTING),
    route("POST", "/api/approvals/bulk", decide_many, LEAD),
    route("GET", "/api/approvals/{approval_id}", showing, OWN_APPROVAL),
    route("POST", "/api/approvals/{approval_id}/approve", approve, LEAD),
    route("POST", "/api/approvals/{approval_id}/reject", reject, LEAD),
    route("POST", "/api/approvals/{approval_id}/cancel", withdraw, CHANGES_OWN_APPROVAL),
]
