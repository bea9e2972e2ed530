"""Answers that are pages of a list: bounded in bytes as they are sent (D2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from actors.api.request_context import Answer
from actors.documents.common import encoded
from actors.jobs import maxima
from actors.jobs.pages import Page

T = TypeVar("T")


def page_answer(
    name: str,
    page: Page[T],
    document: Callable[[T], Any],
    beside: Mapping[str, Any] | None = None,
    *,
    number: bool = False,
) -> Answer[Any]:
    """``page`` under ``name``, each row as its ``document``, and ``next``, which may be a number.

    ``beside``: what else is told.

    At most :data:`~actors.jobs.maxima.ANSWER` bytes of rows, yet always one row where there is one: what does not fit
    comes with the next page.
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
    told = int(following) if number and following is not None else following
    body = orjson.dumps({**(beside or {}), name: rows, "next": told})
    return Answer(body, media_type="application/json")
