"""The one declaration of which field of a job request may be set by which kind of request.

A field that is not in :data:`FIELDS` is closed to every source, so a new field of
:class:`~actors.jobs.records.JobRequest` is refused until it is opened here. The checks (``rights``), the keys of a job
file, the schema in the OpenAPI document and the generated test are all made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import attrs

from actors.jobs.records import JobRequest


class RequestSource(StrEnum):
    """How a request arrives. The server decides it from the connection; what a client says about it is not asked.

    ``EMBEDDED``: from the program that runs the runtime. ``SOCKET_OWNER``: on the Unix socket, from the supervisor's
    own user. ``SOCKET_OTHER``: on the Unix socket, from any other user. ``TCP``: with a token or a session.
    ``JOB_FILE``: from a job of a job file, which is checked when the file is read and again by the source it is
    sent from. ``ENTRY_POINTS``: from an entry point of the configuration.
    """

    EMBEDDED = "embedded"
    SOCKET_OWNER = "socket_owner"
    SOCKET_OTHER = "socket_other"
    TCP = "tcp"
    JOB_FILE = "job_file"
    ENTRY_POINTS = "entry_points"


NETWORK = frozenset({RequestSource.TCP, RequestSource.SOCKET_OTHER})
"""Sources for which the token determines what is allowed. For another user of this machine all rules of TCP apply."""


class NetworkRule(StrEnum):
    """Which values a source of :data:`NETWORK` may give for a field that is open to it."""

    ANY = "any value"
    OWN = "your own; another needs level admin"
    NAMED = "one of your teams"
    LEAD = "needs level lead"


@attrs.frozen
class FieldAccess:
    """``sources``: who may set a field. ``over_network``: which values. ``instead``: what to do where it is closed.

    ``of_command``: it is a part of a command, so that ``SOCKET_OTHER`` may set it, too, where ``socket.commands`` is
    true (F2).
    """

    sources: frozenset[RequestSource] = frozenset()
    over_network: NetworkRule = NetworkRule.ANY
    instead: str = ""
    of_command: bool = False

    def allows(self, source: RequestSource, *, commands: bool = False) -> bool:
        """Whether ``source`` may set the field. ``commands``: whether it may submit commands by ``socket.commands``."""
        return source in self.sources or (commands and self.of_command and source is RequestSource.SOCKET_OTHER)


_S = RequestSource
_OWNER = frozenset({_S.EMBEDDED, _S.SOCKET_OWNER})
_FILE = _OWNER | {_S.JOB_FILE}
_ALL = _FILE | NETWORK
_LOCAL = "is for the supervisor's own user on the Unix socket; a job from elsewhere names an entry point"
# Each of these is a way to run any program, or to read the supervisor's environment: LD_PRELOAD, PATH, PYTHONPATH and
# BASH_ENV turn an entry point into whatever one likes, and so does a directory that holds the modules it imports.
_COMMAND = FieldAccess(_FILE | {_S.ENTRY_POINTS}, instead=_LOCAL, of_command=True)
_OPEN = FieldAccess(_ALL)
_IDENTITY = FieldAccess(_ALL, NetworkRule.OWN)
_CLOSED = FieldAccess()

FIELDS: Mapping[str, FieldAccess] = {
    "provider": _OPEN,
    "command": _COMMAND,
    "entry_point": _OPEN,
    "params": FieldAccess(_ALL | {_S.ENTRY_POINTS}),
    "cwd": _COMMAND,
    "env": _COMMAND,
    "env_from": FieldAccess(_FILE, instead=_LOCAL, of_command=True),
    "inherited_env": FieldAccess(_OWNER, of_command=True),
    "spec": _OPEN,
    "resources": _OPEN,
    "user_id": _IDENTITY,
    "org_id": _IDENTITY,
    "team_id": FieldAccess(_ALL, NetworkRule.NAMED),
    "user_levels": _IDENTITY,
    "config_name": _OPEN,
    "hardware_type": _OPEN,
    "estimated_cost": _OPEN,
    "priority_override": FieldAccess(_ALL, NetworkRule.LEAD),
    "max_attempts": _OPEN,
    "idempotency_key": FieldAccess(_OWNER | NETWORK),  # a job file makes the keys of its jobs itself
    "max_runtime": _OPEN,
    "requires_approval": _OPEN,
    "group": _OPEN,
    "after": _OPEN,
    "after_mode": _OPEN,
    "start_after": _OPEN,
    "notify": _OPEN,
    "rerun": _OPEN,
    "parameters": FieldAccess(_OWNER),  # of a matrix, which the server expands
    "best": FieldAccess(_OWNER | NETWORK),  # of the whole file
}

_NAMES = tuple(attribute.name for attribute in attrs.fields(JobRequest))


def access_to(field: str) -> FieldAccess:
    """Who may set ``field``; nobody if it is not declared."""
    return FIELDS.get(field, _CLOSED)


def closed_to(source: RequestSource, *, commands: bool = False) -> frozenset[str]:
    """The fields of :class:`JobRequest` that ``source`` may not set; ``commands`` as of :meth:`FieldAccess.allows`."""
    return frozenset(name for name in _NAMES if not access_to(name).allows(source, commands=commands))
