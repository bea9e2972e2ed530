"""Which supervisor a command asks: ``--url``, ``--socket``, their variables, else that of the state directory.

This is decided only here. The options stand before the command or after it, and the last one counts. ``--url`` wins
over ``--socket``; both win over ``GREENROOM_URL`` and ``GREENROOM_SOCKET``, in this order. Without any of them the
supervisor of the state directory is asked. A socket is used only if its server is trusted (:mod:`actors.cli.trust`);
what else a URL needs is in :mod:`actors.cli.network`, which no other command loads.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from actors.api.socket_file import POINTER, SOCKET
from actors.cli.context import BadInput, Failed, state_directory
from actors.cli.trust import connect, socket_of
from actors.jobs.home_directory import expanded
from actors.settings import variable_names

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from actors.cli.network import NetworkAddress
    from actors.cli.transport import Received

_VARIABLES = {"url": variable_names.URL, "socket": variable_names.SOCKET, "token_file": variable_names.TOKEN_FILE}
_KEPT = "actors.cli.address"
"""The key in the ``meta`` of click's contexts under which the typed options are kept while the command line is
parsed.
"""
_WENT_AWAY = "the supervisor went away before it had answered; jobs that run go on running"


class NoSupervisor(Failed):
    """No supervisor listens on the socket of this state directory. Its rows can be read all the same (C4)."""


Address: TypeAlias = "SocketAddress | NetworkAddress"
"""Where a supervisor is, and the messages for what goes wrong on the way to it."""


class SocketAddress:
    """A Unix socket, named by itself or by its directory. If no supervisor listens there, nothing else is read instead.

    ``name``: its name in messages. ``headers`` go with each request, ``prefix`` is put before its path. ``is_network``:
    whether requests arrive over TCP, where some fields are not accepted (D1).
    """

    headers: Mapping[str, str] = {"Host": "greenroom"}
    prefix = ""
    is_network = False

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name

    @property
    def is_own(self) -> bool:
        """Whether the supervisor runs as this user, who may then do everything: the socket's directory is theirs.

        Otherwise the user's level says what they may do.
        """
        try:
            return self.path.parent.stat().st_uid == os.geteuid()
        except OSError:  # nobody can listen there
            return True

    def connect(self) -> socket.socket:
        """A connection to a server that is trusted (D7). Raises :class:`Failed` and ``OSError``."""
        return connect(self.path)

    def check(self, status: int, header: Mapping[str, str], correlation_id: str) -> None:
        """Do nothing: the server was checked when the connection was made."""

    def unreachable(self, error: OSError) -> Failed:
        """The error if there is no connection."""
        if isinstance(error, PermissionError):
            return self._not_permitted()
        if isinstance(error, BlockingIOError):
            return self.silent("")
        return self._missing(error)

    def silent(self, _method: str) -> Failed:
        """The error if there was no answer in time."""
        return Failed(f"{self.name} does not answer")

    def broken(self, _method: str, _received: Received) -> Failed:
        """The error if an answer ended early."""
        return Failed(_WENT_AWAY)

    def _not_permitted(self) -> Failed:
        return Failed(f"you may not use the socket {self.path}: its directory and group say who may")

    def _missing(self, error: OSError) -> Failed:
        return Failed(f"no supervisor listens on {self.path} ({error.strerror})")


class StateDirectory(SocketAddress):
    """The socket of a state directory, whose rows are read if no supervisor runs."""

    def __init__(self, directory: Path) -> None:
        super().__init__(socket_of(directory), f"the supervisor of {directory}")
        self._directory = directory

    def _not_permitted(self) -> Failed:
        return Failed(
            f"{self.path} is another user's; a supervisor for several users is named by --socket or GREENROOM_SOCKET"
        )

    def _missing(self, error: OSError) -> Failed:
        from actors.store.state_directory import holder

        held_by = holder(self._directory)
        if held_by is not None:
            why = "holds {} but does not listen on its socket; its log says why"
            return NoSupervisor(f"{held_by} {why.format(self._directory)}")
        return NoSupervisor(f"no supervisor runs on {self._directory}\nstart one: greenroom run")


def socket_address(named: str) -> SocketAddress:
    """The address for ``named``: a socket, or a directory with one."""
    path = expanded(named).absolute()
    if path.is_dir():
        path = socket_of(path) if os.path.lexists(path / POINTER) else path / SOCKET
    return SocketAddress(path, f"the supervisor on {path}")


def typed() -> dict[str, Any]:
    """The options of this file that were typed, by name; those after a command replace those before it."""
    context = click.get_current_context(silent=True)
    return {} if context is None else context.meta.get(_KEPT, {})


def program() -> str:
    """``greenroom`` with the options of this file that were typed, for suggested commands."""
    words = ["greenroom"]
    for name, value in typed().items():
        words += [f"--{name.replace('_', '-')}", *(() if value is True else (value,))]
    if len(words) == 1:
        return words[0]
    import shlex

    return shlex.join(words)


def is_named(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a supervisor is named, so that it is not the one of the state directory."""
    return bool(url(environ) or typed().get("socket") or environ.get(variable_names.SOCKET))


def url(environ: Mapping[str, str] = os.environ) -> str | None:
    """The URL of the supervisor that is asked; None: it is on this machine."""
    options = typed()
    return options.get("url") or (None if options.get("socket") else environ.get(variable_names.URL)) or None


def feed_url(environ: Mapping[str, str] = os.environ) -> tuple[SplitResult, str] | None:
    """The event feed that is asked, and the token for it; None: it is a supervisor. Raises :class:`BadInput`."""
    found = url(environ)
    if found is None or not found.startswith(("ws://", "wss://")):
        return None
    from actors.cli.network import checked_url, read_token

    token_file, token_source = _token_file(environ)
    checked = checked_url(found, _source("url"), insecure=_is_insecure(), schemes=("wss", "ws"))
    return checked, read_token(token_file, token_source)


def _source(name: str) -> str:
    """Where an option was given: by itself or by its variable."""
    return f"--{name.replace('_', '-')}" if typed().get(name) else _VARIABLES[name]


def _token_file(environ: Mapping[str, str]) -> tuple[str | None, str]:
    return typed().get("token_file") or environ.get(variable_names.TOKEN_FILE), _source("token_file")


def _is_insecure() -> bool:
    return bool(typed().get("insecure"))


def chosen(config: str | None, environ: Mapping[str, str] = os.environ) -> Address:
    """The supervisor that is asked. ``config``: of ``--config``. Raises :class:`BadInput` and :class:`Failed`."""
    options = typed()
    if (found := url(environ)) is not None:
        from actors.cli.network import network_address

        return network_address(found, _source("url"), *_token_file(environ), insecure=_is_insecure())
    for name in ("token_file", "insecure"):
        if options.get(name):
            raise BadInput(f"--{name.replace('_', '-')} is for --url; on this machine no token is needed")
    named = options.get("socket") or environ.get(variable_names.SOCKET)
    return StateDirectory(state_directory(config)) if not named else socket_address(named)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value == "":  # as of a variable that is not set: another supervisor would be asked than the one that was meant
        raise click.BadParameter("must not be empty", context, parameter)
    if value:
        context.meta.setdefault(_KEPT, {})[parameter.name] = value


def options(*, hidden: bool) -> list[click.Option]:
    """The options that name a supervisor; ``hidden``: not shown by ``--help``."""
    texts = {
        "--url": f"Ask the supervisor at https://HOST[:PORT].  [variable: {variable_names.URL}]",
        "--token-file": f"File with the token for it.  [variable: {variable_names.TOKEN_FILE}]",
        "--insecure": "Allow http:// to another machine: the token can be read on the way.",
        "--socket": f"Ask the supervisor on this socket or in this directory.  [variable: {variable_names.SOCKET}]",
    }
    kinds: dict[str, Any] = {"--url": {"metavar": "URL"}, "--insecure": {"is_flag": True}}
    a_path = {"type": click.Path()}
    return [
        click.Option([name], help=text, expose_value=False, callback=_keep, hidden=hidden, **kinds.get(name, a_path))
        for name, text in texts.items()
    ]


VALUES = ("--url", "--token-file", "--socket")
"""Options of this page that take a value."""
FLAGS = ("--insecure",)


def leading(arguments: list[str]) -> int:
    """How many words at the beginning of a command line are options of this file."""
    at = 0
    while at < len(arguments):
        name, equals, _ = arguments[at].partition("=")
        if name in VALUES:
            at += 1 if equals else 2
        elif arguments[at] in FLAGS:
            at += 1
        else:
            break
    return min(at, len(arguments))


def refuse_for(command: str) -> None:
    """Raises :class:`BadInput` if an option of this file was typed for a command that asks no supervisor."""
    for name in typed():
        raise BadInput(
            f"--{name.replace('_', '-')} is for commands that ask a supervisor; {command} is for this machine"
        )
