"""The settings section ``users``, and the identity of other users of this machine on the shared socket.

The kernel gives the user's number; the name, to which jobs belong and under which decisions are recorded, is in the
system's table of users. If that table is on another machine (LDAP), a look-up can take long or fail: it runs in a
thread, and an answer is kept for :data:`KEPT_SECONDS`. A user without a name is refused, because the number may belong
to somebody else later. So is :data:`NOBODY`, the number that the kernel gives for every user of another user namespace
without a number here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import attrs
import trio

from actors.access.peer import Peer
from actors.jobs import maxima
from actors.jobs.maximum import Items, Text
from actors.jobs.os_text import shown
from actors.jobs.refusal import RefusalKind, Refused

NOBODY = 65_534
"""/proc/sys/kernel/overflowuid, unless somebody has changed that."""
KEPT_SECONDS = 60.0
"""Seconds for which the name of a user is not looked up again."""
LOOK_UP_SECONDS = 5.0
_MOST_KEPT = 4096
_MOST_LOOK_UPS = 4
"""The most threads that may wait for the table of users at once."""


@attrs.frozen
class UserRights:
    """What a user of this machine may do on the shared socket (section ``socket``).

    ``level``: the level of the user, which decides what the user may do. ``org``: the organisation that the user's jobs
    belong to. ``teams``: the teams that the user's jobs may name.
    """

    level: Literal["viewer", "researcher", "lead", "admin"] = "researcher"
    org: str | None = attrs.field(default=None, validator=attrs.validators.optional(Text(maxima.NAME)))
    teams: tuple[str, ...] = attrs.field(default=(), validator=Items(maxima.CHOICES, Text(maxima.NAME)))


@attrs.define(eq=False)
class SocketUsers:
    """The callers on the shared socket.

    ``users``: the rights of each by name; others have the defaults of :class:`UserRights`. ``commands``: whether they
    may submit commands. ``name_of``: looks up the name of a user, None if there is none; it may block, and raise
    ``OSError``.
    """

    _users: Mapping[str, UserRights]
    _name_of: Callable[[int], str | None]
    commands: bool = attrs.field(default=False, kw_only=True)
    _names: dict[int, tuple[str | None, float]] = attrs.field(factory=dict, init=False)
    _look_ups: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(_MOST_LOOK_UPS), init=False)

    async def peer(self, uid: int) -> Peer:
        """The caller with the kernel's user id ``uid``. Raises :class:`Refused` if the system has no name for it."""
        if uid == NOBODY:
            message = f"uid {uid} stands for every user that this machine does not know: use an account of your own"
            raise Refused(message, RefusalKind.FORBIDDEN)
        if (name := await self._name(uid)) is None:
            message = f"uid {uid} has no name on this machine, and jobs are kept under a name: create an account"
            raise Refused(message, RefusalKind.FORBIDDEN)
        rights = self._users.get(name, _USUAL)
        return Peer(
            uid, shown(name), rights.level, rights.org, "socket_other", key=f"uid:{uid}", teams=rights.teams,
            commands=self.commands,
        )  # fmt: skip

    async def _name(self, uid: int) -> str | None:
        name, until = self._names.get(uid, (None, -math.inf))
        if trio.current_time() < until:
            await trio.lowlevel.checkpoint()
            return name
        try:
            with trio.fail_after(LOOK_UP_SECONDS):
                name = await trio.to_thread.run_sync(self._name_of, uid, abandon_on_cancel=True, limiter=self._look_ups)
        except (trio.TooSlowError, OSError):
            message = f"cannot find out who uid {uid} is: this machine's table of users does not answer"
            raise Refused(message, RefusalKind.UNAVAILABLE) from None
        if len(self._names) >= _MOST_KEPT:
            self._names.clear()
        self._names[uid] = (name, trio.current_time() + KEPT_SECONDS)
        return name


_USUAL = UserRights()
