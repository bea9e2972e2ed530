"""The sessions of browsers as an operator sees them: which there are, and an end to them."""

from __future__ import annotations

from collections.abc import Callable

from actors.access.memory import Memory
from actors.jobs.events import EventType
from actors.jobs.pages import Cursors, Page
from actors.jobs.refusal import RefusalKind, Refused
from actors.kernel import Clock
from actors.ledger import Ledger
from actors.store import Transaction
from actors.store import access as rows
from actors.store.access import WebSession
from actors.store.types import microseconds
from logconf import get_correlation_id


def _place(session: WebSession) -> tuple[int, str]:
    """Where it stands in the list, oldest first."""
    return microseconds(session.created_at), session.session_id


class Sessions:
    """Lists and ends sessions, those of ``greenroom open`` too, which no token began."""

    def __init__(self, ledger: Ledger, clock: Clock, memory: Memory) -> None:
        self._ledger = ledger
        self._clock = clock
        self._memory = memory

    async def listed(self) -> list[WebSession]:
        """Those that open something now, the newest first."""
        known, now = await self._memory.known(), self._clock.now()
        found = [session for session in known.sessions.values() if known.session_holds(session, now)]
        return sorted(found, key=_place, reverse=True)

    async def page(self, *, limit: int, cursor: str | None = None, caller: str = "") -> Page[WebSession]:
        """A page of :meth:`listed`. Raises :class:`Refused` for a cursor of another list or caller."""
        cursors = Cursors[WebSession]("sessions", caller)
        place = cursors.read(cursor, int, str)
        found = [session for session in await self.listed() if place is None or _place(session) < place]
        return Page(found[:limit], more=len(found) > limit, cursor=lambda session: cursors.write(_place(session)))

    async def end(self, part_of_id: str, *, by: str | None = None) -> WebSession:
        """End one session, named by its id or the beginning of it. Raises :class:`Refused`."""

        def one(sessions: list[WebSession]) -> list[WebSession]:
            found = [session for session in sessions if session.session_id.startswith(part_of_id.lower())]
            if not part_of_id or not found:
                raise Refused(f"there is no session {part_of_id!r:.80}", RefusalKind.NOT_FOUND)
            if len(found) > 1:
                raise Refused(f"{part_of_id!r:.80} fits more than one session; type more of it", RefusalKind.INVALID)
            return found

        return (await self._end(one, by))[0]

    async def end_of(self, user_id: str, *, by: str | None = None) -> list[WebSession]:
        """End every session of this user; none is no error."""
        return await self._end(lambda sessions: [one for one in sessions if one.user_id == user_id], by)

    async def _end(self, choose: Callable[[list[WebSession]], list[WebSession]], by: str | None) -> list[WebSession]:
        def closure(tx: Transaction) -> list[WebSession]:
            found = choose(list(rows.sessions(tx.connection)))
            for session in found:
                rows.end_session(tx.connection, session.secret_hash)
                data = {"session_id": session.session_id, "user_id": session.user_id, "by": by}
                tx.emit(EventType.SESSION_REVOKED, None, get_correlation_id(), **data)
            self._memory.changed(tx)
            return found

        return await self._ledger.store.write(closure)
