"""Which job a text means: by its id, its name, or the beginning or end of its id, tried in this order (E1).

In each of these ways the viewer's own jobs come first: if one of them matches, nobody else's job is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from sqlalchemy import Connection

from actors.jobs import maxima
from actors.jobs.os_text import is_one_line
from actors.jobs.records import ApprovalRequest, ApprovalStatus
from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.suggestions import suggestion
from actors.jobs.views import EVERYTHING, Viewer
from actors.store import approvals, names
from actors.store.dialect import LEAST_OF_ID
from actors.store.names import Called

_LISTED, _COUNTED, _RECENT = 10, 1_000, 300
"""Jobs of one name that a refusal lists, up to how many are counted; the newest from which a suggestion is made."""


@attrs.frozen
class Named:
    """The job that is meant, the newest ``of`` so many of its name (1,000: or more)."""

    job: Called
    of: int = 1


def find(connection: Connection, text: str, viewer: Viewer = EVERYTHING, *, newest: bool = False) -> Named:
    """The job that ``text`` means to ``viewer``; ``newest``: if several have the name, the newest, else they are
    refused, also if one of them is a retry of the other.

    Raises :class:`Refused` if there is no such job, or more than one.
    """
    _check(text, "job")
    exact = names.of_ids(connection, [text]).get(text)
    if exact is not None and viewer.sees(exact.user_id):
        return Named(exact)
    if found := of_name(connection, text, viewer):
        if len(found) > 1 and not newest:
            raise _several(text, found)
        return Named(found[0], len(found))
    if found := _of_part(connection, text, viewer):
        only(text, [one.job_id for one in found], "job")
        return Named(found[0])
    raise Refused(f"there is no job {text!r:.80}{_instead(connection, text, viewer)}", RefusalKind.NOT_FOUND)


def find_approval(connection: Connection, text: str, viewer: Viewer = EVERYTHING, *, newest: bool = False) -> str:
    """The id of the approval request that ``text`` means to ``viewer``: its own id, or a text that means its job.

    If there are several, one that can still be decided is meant; ``newest``: if several jobs have the name, the newest
    one's. Raises :class:`Refused` as :func:`find` does.
    """
    _check(text, "approval request")
    for found, of_one_name in _requests(connection, text, viewer):
        owners = names.of_ids(connection, [one.job_id for one in found])
        seen = [one for one in found if one.job_id in owners and viewer.sees(owners[one.job_id].user_id)]
        own = [one for one in seen if owners[one.job_id].user_id == viewer.user_id] or seen
        meant = [one.approval_id for one in own if one.status is ApprovalStatus.PENDING]
        if meant := meant or [one.approval_id for one in own]:
            return max(meant) if newest and of_one_name else only(text, meant, "approval request")
    if of_name(connection, text, viewer) or _of_part(connection, text, viewer):
        raise Refused(f"job {text!r:.80} has no approval request", RefusalKind.NOT_FOUND)
    more = f": the end of an id must have {LEAST_OF_ID} characters or more" if len(text) < LEAST_OF_ID else ""
    raise Refused(f"there is no approval request {text!r:.80}{more}", RefusalKind.NOT_FOUND)


def _requests(connection: Connection, text: str, viewer: Viewer) -> Iterator[tuple[list[ApprovalRequest], bool]]:
    """The requests that ``text`` means, one way of meaning them after the other, and whether that is by a name."""

    def of_jobs(called: Sequence[Called]) -> list[ApprovalRequest]:
        return list(approvals.of_jobs(connection, [one.job_id for one in called]).values())

    exact = approvals.get(connection, text)
    yield [] if exact is None else [exact], False
    yield of_jobs(list(names.of_ids(connection, [text]).values())), False
    yield of_jobs(of_name(connection, text, viewer)), True
    if text.isascii():
        found = (approvals.get(connection, one) for one in approvals.matching(connection, text.lower()))
        yield [one for one in found if one is not None], False
    yield of_jobs(_of_part(connection, text, viewer)), False


def _check(text: str, what: str) -> None:
    """Raises :class:`Refused` for a text that can be no id and no name."""
    if not text or not is_one_line(text) or len(text) > maxima.NAME:
        raise Refused(f"there is no {what} {text!r:.80}", RefusalKind.NOT_FOUND)


def only(text: str, found: Sequence[str], what: str) -> str:
    """The one of ``found``, which match ``text``. Raises :class:`Refused` if there is none, or more than one."""
    if not found:
        raise Refused(f"there is no {what} {text!r:.80}", RefusalKind.NOT_FOUND)
    if len(found) > 1:
        some = ", ".join(found[:3])
        raise Refused(f"{text!r:.80} fits more than one {what}: {some}; type more of it", RefusalKind.INVALID)
    return found[0]


def of_name(connection: Connection, name: str, viewer: Viewer = EVERYTHING) -> list[Called]:
    """The jobs of exactly this name, newest first, up to a thousand: the viewer's own if there is one, else all."""
    own = [] if viewer.user_id is None else names.of_name(connection, name, viewer.user_id, _COUNTED)
    return own if own or viewer.only_own else names.of_name(connection, name, None, _COUNTED)


def _of_part(connection: Connection, text: str, viewer: Viewer) -> list[Called]:
    if not text.isascii():
        return []
    part = text.lower()
    own = [] if viewer.user_id is None else names.of_part(connection, part, viewer.user_id)
    return own if own or viewer.only_own else names.of_part(connection, part, None)


def _several(name: str, found: Sequence[Called]) -> Refused:
    listed = ", ".join(f"{one.job_id} ({one.status})" for one in found[:_LISTED])
    number = f"{_COUNTED} or more" if len(found) >= _COUNTED else str(len(found))
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return Refused(f"{number} jobs are named {name!r:.80}: {listed}{more}; give an id", RefusalKind.INVALID)


def _instead(connection: Connection, text: str, viewer: Viewer) -> str:
    """A suggestion from the names of the newest jobs that ``viewer`` sees."""
    known = names.recent_names(connection, viewer.user_id if viewer.only_own else None, _RECENT)
    if near := suggestion(text, sorted(known)):
        return near
    if len(text) >= LEAST_OF_ID or viewer.only_own:
        return ""
    part = text.lower()
    found = names.of_part(connection, part, None, 1)
    which = "beginning" if any(one.job_id.startswith(part) for one in found) else "end"
    return f": the {which} of an id must have {LEAST_OF_ID} characters or more" if found else ""
