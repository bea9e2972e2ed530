"""What each route needs. One table; a route that is not in it is an admin's, and a test names it.

A new route adds one line to :data:`TABLE`: its method and its path as the route declares it. Where it names a job or
an approval request in its path, ``own="job"`` or ``own="approval"`` makes the guard answer 404 for what belongs to
somebody else. Where it lists, ``own="listing"`` means that the handler leaves out what
:attr:`~actors.access.peer.Peer.only_user` excludes; a generated test checks that it does.
"""

from __future__ import annotations

from typing import Literal

import attrs

Own = Literal["job", "approval", "listing"]
Rate = Literal["caller", "sign_in", "none"]


@attrs.frozen
class Permission:
    """What a route requires of its caller.

    ``level``: the lowest that may; None: anybody, unknown callers too. ``own``: how callers who may only see their own
    jobs are kept to them. ``socket``: only on the Unix socket. ``stream``: it stays open, and counts against the limits
    of streams (B24). ``webhook``: its Host list is ``http.webhook_hosts``. ``rate``: ``caller`` counts requests of each
    token and session, and of each address for the unknown; ``sign_in`` lets a good secret in, however many bad ones its
    address has sent; ``none`` never refuses for rate.
    """

    level: str | None = "admin"
    own: Own | None = None
    socket: bool = False
    stream: bool = False
    webhook: bool = False
    rate: Rate = "caller"


PUBLIC = Permission(None)
VIEWER, RESEARCHER, LEAD, ADMIN = (
    Permission("viewer"),
    Permission("researcher"),
    Permission("lead"),
    Permission("admin"),
)
SOCKET = Permission("admin", socket=True)
_NEVER_REFUSED = Permission(None, rate="none")
_OWN_LISTING = Permission("viewer", own="listing")
_OWN_STREAM = Permission("viewer", own="listing", stream=True)
_OWN_JOB = Permission("viewer", own="job")
_OWN_JOB_STREAM = Permission("viewer", own="job", stream=True)
_CHANGES_OWN_JOB = Permission("researcher", own="job")

TABLE: dict[tuple[str, str], Permission] = {
    # Jobs.
    ("GET", "/api/jobs"): _OWN_LISTING,
    ("POST", "/api/jobs"): RESEARCHER,
    ("GET", "/api/jobs/{job_id}"): _OWN_JOB,
    ("POST", "/api/jobs/{job_id}/cancel"): _CHANGES_OWN_JOB,
    ("POST", "/api/jobs/{job_id}/retry"): _CHANGES_OWN_JOB,
    ("POST", "/api/jobs/{job_id}/settle"): ADMIN,
    ("GET", "/api/jobs/{job_id}/logs"): _OWN_JOB_STREAM,
    ("GET", "/api/jobs/{job_id}/logs/stream"): _OWN_JOB_STREAM,
    ("GET", "/api/jobs/{job_id}/events"): _OWN_JOB,
    ("GET", "/api/events"): _OWN_STREAM,
    ("GET", "/api/events/types"): VIEWER,
    # The queue.
    ("GET", "/api/queue"): _OWN_LISTING,
    ("GET", "/api/queue/stats"): VIEWER,
    ("GET", "/api/queue/{job_id}"): _OWN_JOB,
    ("PUT", "/api/queue/{job_id}/priority"): LEAD,
    ("POST", "/api/queue/pause"): ADMIN,
    ("POST", "/api/queue/resume"): ADMIN,
    ("GET", "/api/queue/limits"): VIEWER,
    ("DELETE", "/api/queue/limits"): ADMIN,
    ("PUT", "/api/queue/limits/{name}"): ADMIN,
    ("DELETE", "/api/queue/limits/{name}"): ADMIN,
    ("POST", "/api/prune"): ADMIN,
    # Approvals: a lead decides what its level allows.
    ("GET", "/api/approvals"): _OWN_LISTING,
    ("GET", "/api/approvals/{approval_id}"): Permission("viewer", own="approval"),
    ("POST", "/api/approvals/{approval_id}/approve"): LEAD,
    ("POST", "/api/approvals/{approval_id}/reject"): LEAD,
    ("POST", "/api/approvals/{approval_id}/cancel"): Permission("researcher", own="approval"),
    ("POST", "/api/approvals/bulk"): LEAD,
    ("GET", "/api/approvals/rules"): LEAD,
    ("POST", "/api/approvals/rules"): ADMIN,
    ("POST", "/api/approvals/rules/dry-run"): LEAD,
    ("GET", "/api/approvals/rules/{rule_id:int}"): LEAD,
    ("PUT", "/api/approvals/rules/{rule_id:int}"): ADMIN,
    ("DELETE", "/api/approvals/rules/{rule_id:int}"): ADMIN,
    # The runtime.
    ("GET", "/api/actors"): LEAD,
    ("GET", "/api/actors/dead-letters"): LEAD,
    ("GET", "/api/actors/quarantine"): LEAD,
    ("POST", "/api/actors/quarantine/{message_id:int}/replay"): ADMIN,
    ("DELETE", "/api/actors/quarantine/{message_id:int}"): ADMIN,
    ("GET", "/api/providers"): VIEWER,
    ("GET", "/api/config"): ADMIN,
    ("GET", "/api/openapi.json"): VIEWER,
    ("GET", "/health"): Permission("viewer", rate="none"),
    ("GET", "/metrics"): VIEWER,
    # Access.
    ("GET", "/api/tokens"): ADMIN,
    ("POST", "/api/tokens"): ADMIN,
    ("DELETE", "/api/tokens/{token_id}"): ADMIN,
    ("GET", "/api/sessions"): ADMIN,
    ("DELETE", "/api/sessions"): ADMIN,
    ("DELETE", "/api/sessions/{session_id}"): ADMIN,
    ("GET", "/api/session"): VIEWER,
    ("POST", "/api/session/code"): SOCKET,
    # Open to all: the bare status, sign-in, signed deliveries, files that are the same for everybody.
    ("GET", "/health/live"): _NEVER_REFUSED,
    ("GET", "/health/ready"): _NEVER_REFUSED,
    ("POST", "/api/session"): Permission(None, rate="sign_in"),
    ("DELETE", "/api/session"): PUBLIC,
    ("POST", "/api/webhooks/{provider}"): Permission(None, webhook=True),
    ("GET", "/"): PUBLIC,
    ("GET", "/static/{path:path}"): PUBLIC,
    ("GET", "/api/reference"): PUBLIC,
}


def permission_for(method: str, path: str) -> Permission:
    """What the route of this method and declared path needs; HEAD is GET, and one that is not listed is an admin's."""
    return TABLE.get(("GET" if method == "HEAD" else method, path), ADMIN)
