"""JSON answers, pages of lists among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Generic, TypeVar, cast

import orjson
from starlette.responses import Response

from actors.documents.common import encoded
from actors.jobs import maxima
from actors.jobs.pages import Page

D = TypeVar("D")
T = TypeVar("T")


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

    ``others``: further fields. At most :data:`~actors.jobs.maxima.ANSWER` bytes of rows, but always one row where
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
