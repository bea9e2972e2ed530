"""Checks which fields of a job request its submitter may set, by the table in ``sources``. A retry is such a
request.
"""

from __future__ import annotations

from typing import Any

import attrs

from actors.job_requests.sources import NETWORK, NetworkRule, RequestSource, access_to, closed_to
from actors.jobs.levels import level_reaches, normalised
from actors.jobs.notify_options import NotifyOptions
from actors.jobs.records import JobRequest
from actors.jobs.refusal import RefusalKind, Refused

_USUAL = attrs.asdict(JobRequest(), recurse=False)
_ADMIN, _LEAD = "admin", "lead"
_ENVIRONMENT = ("env", "env_from", "inherited_env")


@attrs.frozen
class Submitter:
    """The submitter, as the server knows them from the connection: ``source``, and what the token or the kernel says.

    ``teams``: those that may be named over the network. ``commands``: another user of this machine who may submit
    commands, by ``socket.commands``.
    """

    source: RequestSource
    user_id: str = ""
    level: str = _ADMIN
    org_id: str | None = None
    teams: tuple[str, ...] = ()
    commands: bool = False


THE_PROGRAM = Submitter(RequestSource.EMBEDDED)
"""The program that runs the runtime."""


def check_open(asked: JobRequest, source: RequestSource, where: str = "", *, commands: bool = False) -> None:
    """Raises :class:`Refused` for the first field that is set although ``source`` may not; the message begins with
    ``where``.

    ``commands``: whether ``source`` may submit commands by ``socket.commands``.
    """
    for field in _given(asked):
        access = access_to(field)
        if access.allows(source, commands=commands):
            continue
        if access.instead:
            raise Refused(f"{where}{field}: {access.instead}", RefusalKind.FORBIDDEN, field)
        raise Refused(f"{where}{field}: unknown field, or not allowed from here", RefusalKind.INVALID, field)


def authorized(asked: JobRequest, who: Submitter, where: str = "") -> JobRequest:
    """``asked`` with the fields that ``who`` may set. Over the network the token gives its user and levels.

    Raises :class:`Refused`, which names the field, with ``where`` before it.
    """
    check_open(asked, who.source, where, commands=who.commands)
    if who.source not in NETWORK:
        return asked if asked.user_id or not who.user_id else attrs.evolve(asked, user_id=who.user_id)
    for field in _given(asked):
        if fault := _fault(field, getattr(asked, field), who):
            raise Refused(f"{where}{field}: {fault}", RefusalKind.FORBIDDEN, field)
    return attrs.evolve(
        asked,
        user_id=asked.user_id or who.user_id,
        org_id=asked.org_id or who.org_id,
        user_levels=asked.user_levels or (who.level,),
        team_id=asked.team_id or None,  # "" is no team
    )


def retried(before: JobRequest, who: Submitter, job_id: str) -> JobRequest:
    """The new request of ``who`` that repeats the request of job ``job_id``.

    Fields that ``who`` may not set are left out. Over the network another user's job becomes a job of ``who``, with
    their user, organisation, levels and environment. Raises :class:`Refused` if a command may not come from there.
    """
    closed = closed_to(who.source, commands=who.commands)
    if before.command is not None and "command" in closed:
        message = (
            f"job {job_id} was a command, which the supervisor's own user alone may retry: greenroom retry {job_id}"
        )
        raise Refused(message, RefusalKind.FORBIDDEN, "command")
    left_out = {"idempotency_key", "start_after", *closed}  # a later start was for the first time
    if who.source in NETWORK:
        foreign = before.user_id != who.user_id
        for field in _USUAL:
            identity = access_to(field).over_network is NetworkRule.OWN
            if (foreign and (identity or field in _ENVIRONMENT)) or _fault(field, getattr(before, field), who):
                left_out.add(field)
    kept = attrs.evolve(before, **{field: _USUAL[field] for field in left_out})
    return authorized(kept, who)


def check_targets(asked: JobRequest, who: Submitter, options: NotifyOptions, where: str = "") -> None:
    """Raises :class:`Refused` for a target of notifications that ``who`` may not use.

    The supervisor's own user may use all. A target that is not configured is refused elsewhere, for every caller.
    """
    if who.source in NETWORK and (denied := options.not_allowed(asked.notify, who.user_id, who.level)):
        message = f"{where}notify: target {denied[0]!r} is not for you (notify.targets.{denied[0]}.for)"
        raise Refused(message, RefusalKind.FORBIDDEN, "notify")


def usable_targets(names: tuple[str, ...], who: Submitter, options: NotifyOptions) -> tuple[str, ...]:
    """Those of ``names`` that are configured and that ``who`` may use."""
    denied = options.not_allowed(names, who.user_id, who.level) if who.source in NETWORK else ()
    return tuple(name for name in names if name in options.targets and name not in denied)


def _given(asked: JobRequest) -> list[str]:
    """The fields that have another value than their default, in the order of the class."""
    return [name for name, usual in _USUAL.items() if getattr(asked, name) != usual]


def _fault(field: str, value: Any, who: Submitter) -> str | None:
    """Why ``who`` may not give ``value`` over the network; None if they may, or if nothing was given."""
    if not value and value != 0:
        return None
    match access_to(field).over_network:
        case NetworkRule.OWN if not level_reaches(who.level, _ADMIN) and not _is_own(field, value, who):
            return "any other value than your own needs level admin"
        case NetworkRule.NAMED if value not in who.teams:
            return _which_teams(who)
        case NetworkRule.LEAD if not level_reaches(who.level, _LEAD):
            return "needs level lead"
    return None


def _which_teams(who: Submitter) -> str:
    """What a team must be, and who says which it may be: a token, or the configuration for users of this machine."""
    if who.source is RequestSource.SOCKET_OTHER:
        named = ", ".join(who.teams) or "you have none"
        return (
            f"must be one of your teams ({named}); the supervisor's configuration names them: users.{who.user_id}.teams"
        )
    return f"must be one that your token names ({', '.join(who.teams) or 'it names none'})"


def _is_own(field: str, value: Any, who: Submitter) -> bool:
    if field == "user_levels":
        return {normalised(level) for level in value} == {normalised(who.level)}
    return bool(value == getattr(who, field))
