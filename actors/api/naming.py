"""What the path of a request names, a job or an approval request, found among what its caller may see.

Before a handler runs, a name or a part of an id in the path is replaced by the id, so that handlers deal with ids alone
and none can forget whose a job is: what the caller may not see is 404, as if it did not exist.
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
    """Replace what is named in the path by its id; the :data:`NEWEST` header of the answer, where it has one.

    A request that only reads takes the newest job of a name; another one is refused where no supervisor runs. Raises
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
    """The :data:`NEWEST` header about ``named``; None: it is the only one of its name."""
    return None if named.of == 1 else f"{named.job.job_id}; of={named.of}"


def viewer_of(request: Request) -> Viewer:
    """The caller, as one who names jobs; an unknown one sees none."""
    peer = request.scope.get("state", {}).get("peer")
    return peer.viewer if isinstance(peer, Peer) else Viewer(only_own=True)
