"""What a route requires of its caller. Each route names a permission where it is registered (``ROUTES``).

For a route that names a job or an approval request in its path, ``own="job"`` or ``own="approval"`` says that its
callers find only what they may see, and get 404 for the rest (:mod:`actors.api.naming`). For a list or a selection,
``own="listing"`` means that the handler leaves out what :attr:`~actors.access.peer.Peer.only_user` excludes; a
generated test checks this.
"""

from __future__ import annotations

from typing import Literal

import attrs

Own = Literal["job", "approval", "listing"]
Rate = Literal["caller", "sign_in", "files", "none"]


@attrs.frozen
class Permission:
    """What a route requires of its caller.

    ``level``: the lowest level that may use it; None: everybody, also unknown callers. ``own``: how callers who may see
    only their own jobs are restricted to them. ``socket``: only on the Unix socket. ``stream``: it stays open, and
    counts against the limits of streams. ``webhook``: its host list is ``http.webhook_hosts``. ``rate``: ``caller``
    counts the requests of each token and session, and of each address for unknown callers; ``sign_in`` lets a valid
    secret in, even if its address has sent many invalid ones; ``files``, those of the page, of which one visit needs
    dozens, are counted separately; ``none`` is never refused for its rate.
    """

    level: str | None = "admin"
    own: Own | None = None
    socket: bool = False
    stream: bool = False
    webhook: bool = False
    rate: Rate = "caller"


PUBLIC = Permission(None)
FILES = Permission(None, rate="files")
NEVER_REFUSED = Permission(None, rate="none")
VIEWER = Permission("viewer")
OWN_LISTING = Permission("viewer", own="listing")
OWN_STREAM = Permission("viewer", own="listing", stream=True)
OWN_JOB = Permission("viewer", own="job")
OWN_JOB_STREAM = Permission("viewer", own="job", stream=True)
OWN_APPROVAL = Permission("viewer", own="approval")
RESEARCHER = Permission("researcher")
CHANGES_OWN_JOB = Permission("researcher", own="job")
CHANGES_OWN_JOBS = Permission("researcher", own="listing")
CHANGES_OWN_APPROVAL = Permission("researcher", own="approval")
LEAD = Permission("lead")
ADMIN = Permission()
SOCKET = Permission(socket=True)
