"""Finding the job or approval request that the path of a request names, among what its caller may see.

Before a handler runs, a name or a part of an id in the path is replaced by the id, so that handlers work with ids alone
and none can forget to check the owner: what the caller may not see is answered 404, as if it did not exist.
"""

from __future__ import annotations

from starlette.requests import Request

from actors.access.peer import Peer
from actors.control.runtime import NOT_RUNNING, Reading, Runtime
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.views import Viewer
from actors.ledger.naming import Named

NEWEST = "X-Newest-Job"
"""Header of an answer about the newest of several jobs of the name in the path: ``ID; of=NUMBER`` (1000: or more)."""
JOB, APPROVAL = "job_id", "approval_id"
_READING = frozenset({"GET", "HEAD"})


async def replace_names(request: Request, runtime: Runtime | Reading) -> str | None:
    """Replace what the path names by its id. Returns the :data:`NEWEST` header of the answer, if it needs one.

    A request that only reads gets the newest job of a name; any other request is refused if no supervisor runs. Raises
    :class:`~actors.jobs.refusal.Refused`.
    """
    path: dict[str, str] = request.scope["path_params"]
    newest = request.method in _READING
    if not newest and isinstance(runtime, Reading) and (JOB in path or APPROVAL in path):
        raise Refused(NOT_RUNNING, RefusalKind.UNAVAILABLE)
    if JOB in path:
        named = await runtime.jobs.named(path[JOB], viewer_of(request), newest=newest)
        path[JOB] = named.job.job_id
        return newest_header(named)
    if APPROVAL in path:
        path[APPROVAL] = await runtime.approvals.named(path[APPROVAL], viewer_of(request), newest=newest)
    return None


def newest_header(named: Named) -> str | None:
    """The :data:`NEWEST` header for ``named``; None if it is the only job of its name."""
    return None if named.of == 1 else f"{named.job.job_id}; of={named.of}"


def viewer_of(request: Request) -> Viewer:
    """The caller as a viewer, among whose jobs names are looked up; an unknown caller sees none."""
    peer = request.scope.get("state", {}).get("peer")
    return peer.viewer if isinstance(peer, Peer) else Viewer(only_own=True)
