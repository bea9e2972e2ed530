"""The caller at the other end of a connection, and their rights."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import attrs

from actors.job_requests.rights import Submitter
from actors.job_requests.sources import RequestSource
from actors.jobs.levels import level_reaches
from actors.jobs.views import Viewer

Via = Literal["socket", "socket_other", "token", "session"]
_SEES_ALL = "lead"


@attrs.frozen
class Peer:
    """A caller. On the Unix socket the kernel gives ``uid``; the supervisor's own user is the operator with all rights.

    ``name``: the user to whom jobs belong, and who is recorded with decisions. ``level``: viewer, researcher, lead or
    admin. ``via``: the socket, from the supervisor's own user or (``socket_other``) another one, a bearer token or a
    browser's session. ``key``: the key under which requests are counted. ``until``: when the token or session expires;
    None: never. ``teams``: those that jobs may name. ``commands``: another user of this machine who may submit commands
    (``socket.commands``).
    """

    uid: int | None
    name: str
    level: str = "admin"
    org_id: str | None = None
    via: Via = "socket"
    key: str = ""
    until: datetime | None = None
    teams: tuple[str, ...] = ()
    commands: bool = False

    def has(self, level: str) -> bool:
        """Whether the caller has ``level`` or a higher one."""
        return level_reaches(self.level, level)

    def is_still(self, now: Peer | None) -> bool:
        """Whether ``now``, the caller of the same secret at a later time, has the same rights."""
        return now is not None and (now.name, now.level) == (self.name, self.level)

    @property
    def only_user(self) -> str | None:
        """The only user whose jobs the caller may see; None: everybody's jobs (lead and admin)."""
        return None if self.has(_SEES_ALL) else self.name

    @property
    def viewer(self) -> Viewer:
        """The caller as a viewer, for names of jobs: their own jobs come first."""
        return Viewer(self.name, only_own=self.only_user is not None)

    @property
    def is_local(self) -> bool:
        """Whether this is the operator, the supervisor's own user on the Unix socket, who may do everything."""
        return self.via == "socket"

    @property
    def source(self) -> RequestSource:
        """How the caller's requests arrive."""
        sockets = {"socket": RequestSource.SOCKET_OWNER, "socket_other": RequestSource.SOCKET_OTHER}
        return sockets.get(self.via, RequestSource.TCP)

    @property
    def submitter(self) -> Submitter:
        """The caller as a submitter of jobs."""
        return Submitter(self.source, self.name, self.level, self.org_id, self.teams, self.commands)
