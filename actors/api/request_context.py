"""Request context: runtime, caller, visibility; JSON responses, pages of lists among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Generic, TypeVar, cast

import orjson
import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actors.access.peer import Peer
from actors.control.runtime import NOT_RUNNING, Reading, Runtime
from actors.documents.common import encoded
from actors.jobs import maxima
from actors.jobs.pages import Page
from actors.jobs.refusal import RefusalKind, Refused

D = TypeVar("D")
T = TypeVar("T")


def reading_of(request: Request) -> Runtime | Reading:
    """What is behind this application: a runtime or, where no supervisor runs, the rows alone."""
    found: Runtime | Reading = request.app.state.runtime
    return found


def runtime_of(request: Request) -> Runtime:
    """The runtime behind this application. Raises :class:`Refused` where no supervisor runs."""
    found = reading_of(request)
    if isinstance(found, Reading):
        raise Refused(NOT_RUNNING, RefusalKind.UNAVAILABLE)
    return found


def peer_of(request: Request) -> Peer | None:
    """The caller, where the guard has identified one."""
    peer = request.scope.get("state", {}).get("peer")
    return peer if isinstance(peer, Peer) else None


def caller(request: Request) -> Peer:
    """The caller. Raises ``HTTPException`` 401 without one, which the guard never lets through."""
    peer = peer_of(request)
    if peer is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "a token or a session is needed")
    return peer


def visible_user(request: Request, asked: str | None) -> str | None:
    """The user whose jobs to show, None: all. ``asked``: the user in the request, None: none was named.

    A caller who may only see their own jobs gets those; raises :class:`Refused` where they name another user.
    """
    own = caller(request).only_user
    if own is not None and asked not in (None, own):
        raise Refused("user_id: another than your own takes a lead", RefusalKind.FORBIDDEN, "user_id")
    return asked if own is None else own


def ending_of(request: Request) -> trio.Event:
    """Set when the server stops: a stream then sends its last event, ``goodbye``."""
    ending = request.scope.get("state", {}).get("ending")
    return ending if isinstance(ending, trio.Event) else trio.Event()


class Answer(Response, Generic[T]):
    """A JSON answer whose document is a ``T``."""


def answer(document: T, status: int = HTTPStatus.OK) -> Answer[T]:
    """``document`` as an answer."""
    return Answer(encoded(document), status_code=int(status), media_type="application/json")


def page_document(
    kind: type[D],
    name: str,
    page: Page[Any],
    document: Callable[[Any], Any],
    others: Mapping[str, Any] | None = None,
    *,
    number: bool = False,
) -> D:
    """A ``kind``: the rows of ``page`` under ``name``, each as its ``document``, and ``next``: a cursor or ``number``.

    ``others``: further fields. At most :data:`~actors.jobs.maxima.ANSWER` bytes of rows (D2), but always one row where
    there is one; the rows that do not fit are on the next page.
    """
    rows: list[orjson.Fragment] = []
    size = 0
    for row in page:
        piece = encoded(document(row))
        size += len(piece)
        if rows and size > maxima.ANSWER:
            break
        rows.append(orjson.Fragment(piece))
    following = page.next_after(len(rows))
    place = int(following) if number and following is not None else following
    return cast("D", {**(others or {}), name: rows, "next": place})
