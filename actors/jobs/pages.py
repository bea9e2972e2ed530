"""Pages of lists, and the cursors by which one page follows another.

A cursor says where a page ended. It is opaque: base64 of a digest and of the place. The digest covers the place, the
list, its filters and the caller, so a cursor of another list, of other filters or of another caller is refused instead
of being read as a place that it never meant. It is no secret and gives no right: what the caller may see is decided
anew for every page.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import orjson

from actors.jobs import maxima
from actors.jobs.refusal import Refused, invalid

T = TypeVar("T")
Place = tuple[int | str, ...]
_DIGEST = 12  # bytes
_LARGEST = 2**63


class Page(list[T]):
    """Some rows of a list. ``next``: the cursor of the page after; None: this is the last one."""

    def __init__(self, rows: Iterable[T] = (), *, more: bool = False, cursor: Callable[[T], str] = str) -> None:
        super().__init__(rows)
        self._more = more
        self._cursor = cursor

    @property
    def next(self) -> str | None:
        """The cursor of the page after."""
        return self.next_after(len(self))

    def next_after(self, count: int) -> str | None:
        """The cursor of the page after, where only the first ``count`` rows are passed on."""
        whole = count >= len(self)
        return (
            self._cursor(self[min(count, len(self)) - 1]) if len(self) and count and (self._more or not whole) else None
        )


class Cursors(Generic[T]):
    """The cursors of one list as ``scope`` sees it: who asks and by which filters, as plain values in a fixed order."""

    def __init__(self, name: str, *scope: Any) -> None:
        self._scope = repr((name, *scope)).encode("utf-8", "surrogatepass")

    def write(self, place: Place) -> str:
        """The cursor of a place."""
        written = orjson.dumps(place)
        return base64.urlsafe_b64encode(self._digest(written) + written).decode().rstrip("=")

    def read(self, cursor: str | None, *kinds: type) -> Place | None:
        """The place, whose parts have these types. Raises :class:`Refused` for a cursor that is none of ours."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
            place = orjson.loads(raw[_DIGEST:])
        except (ValueError, binascii.Error):
            raise _bad() from None
        if len(cursor) > maxima.CURSOR or raw[:_DIGEST] != self._digest(raw[_DIGEST:]) or not _fits(place, kinds):
            raise _bad()
        return tuple(place)

    def _digest(self, written: bytes) -> bytes:
        return hashlib.blake2b(written, digest_size=_DIGEST, key=hashlib.sha256(self._scope).digest()).digest()


def _fits(place: object, kinds: Sequence[type]) -> bool:
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds):
        return False
    return all(abs(part) < _LARGEST for part in place if isinstance(part, int))


def _bad() -> Refused:
    return invalid("cursor", "is not a cursor of this list with these filters; start without a cursor")
