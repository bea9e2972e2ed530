"""The top level of the command line: commands are found by name and imported when they are used."""

from __future__ import annotations

import codecs
import errno
import importlib
import os
import sys
from io import TextIOWrapper
from typing import Any

import click

from actors.cli import address
from actors.cli.context import BadInput
from actors.cli.exit_statuses import ExitStatus

_COMMANDS = {
    "run": ["run"],
    "submit": ["submit"],
    "jobs": ["jobs", "show", "cancel", "retry", "rm", "settle"],
    "logs": ["logs"],
    "series": ["metrics", "compare"],
    "queue": ["queue", "prioritise", "limits"],
    "approvals": ["approvals", "approve", "reject"],
    "watch": ["watch", "tree"],
    "notifications": ["notifications"],
    "dead_letters": ["dead-letters", "quarantine"],
    "prune": ["prune"],
    "token": ["token", "open"],
    "backup": ["backup", "restore"],
    "doctor": ["doctor"],
    "configuration": ["config", "completion"],
}
"""The commands in each file of this package, in the order of the help."""
_HOMES = {command: home for home, commands in _COMMANDS.items() for command in commands}
_DEFAULT = "run"
_LOCAL = ("run", "restore", "config", "completion")
"""Commands that ask no supervisor."""
_ALSO = "--url, --token-file, --insecure and --socket (see greenroom --help) may stand here, too."
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What writing to a disk fails with; a reader that has gone (EPIPE) is handled by click."""
_WHOLE = 1_000
"""A limit so high that click does not cut the sentence of a command."""


class LazyGroup(click.Group):
    """Commands by name; without one, or with options only, it is ``run``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, by subject."""
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _HOMES:
            return None
        module = importlib.import_module(f"actors.cli.{_HOMES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        _require_utf8(command)
        if cmd_name not in _LOCAL:
            _add_address(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with its whole sentence, which continues on the next line if it is too long."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(_WHOLE)) for name, one in commands if one is not None])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command if none was named."""
        first = address.leading(args)
        rest = args[first:]
        if rest and rest[0].partition("=")[0] == "--token":
            raise BadInput("there is no option --token, as others could see it; --token-file names its file")
        if not rest or (rest[0].startswith("-") and rest[0] not in ("--help", "-h", "--version")):
            args = [*args[:first], _DEFAULT, *rest]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was named; an error with a suggestion if there is none."""
        if args and args[0] not in _HOMES:
            from actors.jobs.suggestions import did_you_mean

            near = did_you_mean(args[0], _HOMES) if not ctx.resilient_parsing else ""
            raise click.UsageError(f"there is no command {args[0]!r}{near}", ctx)
        if args and args[0] in _LOCAL:
            address.refuse_for(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends it without a message, as it ends every program."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(ExitStatus.INTERRUPTED) from None


def _add_address(command: click.Command) -> None:
    """Let the options that name a supervisor stand after ``command``, and after its subcommands."""
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        _add_address(one)
    if command.epilog is None:  # it is asked for more than once
        command.params += address.options(hidden=True)
        command.epilog = _ALSO


def _require_utf8(command: click.Command) -> None:
    """Let ``command`` refuse text that is not UTF-8 in IDs, names and reasons.

    Paths may be any bytes, and so may parameters of the type ``UNPROCESSED``: a job's command and its variables.
    """
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        _require_utf8(one)
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = UTF8


class _Utf8(click.types.StringParamType):
    """A text; one that is not UTF-8 is wrong usage."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """``value`` as it is."""
        text = super().convert(value, param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("must be UTF-8 text", param, ctx)
        return text


UTF8 = _Utf8()


_READABLE = "greenroom.readable"


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    """A codec's error handler: shows bytes that are not UTF-8, as in paths, in readable form."""
    from actors.jobs.os_text import shown  # seldom needed, and every command would wait for it

    if not isinstance(error, UnicodeEncodeError):
        return codecs.backslashreplace_errors(error)
    text = error.object[error.start : error.end]
    readable = shown(text)
    if text == readable:
        return codecs.backslashreplace_errors(error)
    return readable.encode("ascii", "backslashreplace").decode(), error.end


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="greenroom", prog_name="greenroom", message="%(prog)s %(version)s")
def cli() -> None:
    """Greenroom queues training jobs, decides which runs next, and follows each until it ends.

    Without a command it runs the supervisor. Every command has --help; most have --json.
    """


cli.params += address.options(hidden=False)


def _open_missing_streams() -> None:
    """Where the caller closed them (``>&-``), else a database could be opened as descriptor 1 and printed into."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115 - for the whole process


def main(arguments: list[str] | None = None, **options: Any) -> None:
    """Run the command line and exit with its status."""
    codecs.register_error(_READABLE, _replace)
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_READABLE)
    try:
        cli.main(args=arguments, prog_name="greenroom", **options)
    except OSError as error:
        if error.filename is not None or error.errno not in _FULL:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter tries once more at its end
        click.echo(f"greenroom: the output cannot be written: {error.strerror}", err=True)
        sys.exit(ExitStatus.FAILED)
