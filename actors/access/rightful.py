"""What somebody may ask of a job that comes over the network (B21)."""

from __future__ import annotations

import attrs

from actors.access.peer import Peer
from actors.jobs.records import JobRequest
from actors.jobs.refusal import RefusalKind, Refused

_LOCAL_ONLY = ("command", "cwd", "env", "env_from")
"""Each of them is a way to run any program, or to read the supervisor's own environment."""
_USUAL = JobRequest()


def rightful(asked: JobRequest, peer: Peer) -> JobRequest:
    """``asked`` as ``peer`` may ask it: for whom it is and at which level comes from who asks.

    On the Unix socket everything goes. Elsewhere ``command``, ``cwd``, ``env`` and ``env_from`` are refused at every
    level, since only the configuration's entry points may run; a user or organisation other than one's own is an
    admin's to name, a priority a lead's. Raises :class:`Refused` naming the field.
    """
    if peer.is_local:
        return asked if asked.user_id else attrs.evolve(asked, user_id=peer.name)
    for field in _LOCAL_ONLY:
        if getattr(asked, field) != getattr(_USUAL, field):
            message = f"{field}: is for the Unix socket; over the network a job names an entry point"
            raise Refused(message, RefusalKind.FORBIDDEN, field)
    if asked.priority_override is not None and not peer.has("lead"):
        raise Refused("priority_override: takes a lead", RefusalKind.FORBIDDEN, "priority_override")
    if peer.has("admin"):
        return attrs.evolve(
            asked,
            user_id=asked.user_id or peer.name,
            org_id=asked.org_id or peer.org_id or asked.org_id,
            user_levels=asked.user_levels or (peer.level,),
        )
    for field, own in (("user_id", peer.name), ("org_id", peer.org_id)):
        if getattr(asked, field) and getattr(asked, field) != own:
            raise Refused(f"{field}: another than your own takes an admin", RefusalKind.FORBIDDEN, field)
    org_id = peer.org_id if peer.org_id is not None else asked.org_id
    return attrs.evolve(asked, user_id=peer.name, org_id=org_id, user_levels=(peer.level,))
