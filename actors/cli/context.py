"""What commands have in common: their errors, settings and job files, and the user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actors.cli.exit_statuses import ExitStatus

if TYPE_CHECKING:
    from actors.job_requests.job_file import JobFile
    from actors.jobs.refusal import Refused
    from actors.settings import Settings


class Failed(click.ClickException):
    """The command was refused or failed: exit status 1."""

    exit_code = ExitStatus.FAILED

    def show(self, file: Any = None) -> None:
        """Print the message to stderr."""
        click.echo(f"greenroom: {self.message}", err=True)


class BadInput(Failed):
    """Arguments or input are invalid; nothing was changed: exit status 2."""

    exit_code = ExitStatus.USAGE


class TryLater(Failed):
    """A failure that may pass, after ``seconds`` if the server names a time: exit status 1."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


def refusal(error: Refused) -> Failed:
    """The error of a command whose operation was refused."""
    return (BadInput if error.kind == "invalid" else Failed)(str(error))


def load_settings(config: str | None) -> Settings:
    """The settings. If they are wrong, exit status 2 with every fault."""
    from actors.settings import Settings, SettingsError

    try:
        return Settings.load(config)
    except SettingsError as error:
        raise BadInput(str(error)) from None


def state_directory(config: str | None) -> Path:
    """The state directory. A file of settings is read only if nothing else names the directory; the result is then
    noted.
    """
    from actors.settings.places import known_state_directory

    known = known_state_directory(config)
    return known if known is not None else _settings_noted(config).state_dir


def configured_env_from(config: str | None) -> tuple[str, ...]:
    """The variables that every job inherits by the settings, read as in :func:`state_directory`."""
    from actors.settings.places import known_env_from

    known = known_env_from(config)
    return known if known is not None else _settings_noted(config).submission.env_from


def _settings_noted(config: str | None) -> Settings:
    from actors.settings.places import note_settings

    settings = load_settings(config)
    note_settings(settings.config_file, settings.state_dir, settings.submission.env_from)
    return settings


def read_job_file(path: str, env_from: tuple[str, ...] | None) -> JobFile:
    """The jobs of a file. If it is wrong, exit status 2 with every fault.

    ``env_from``: variables that its jobs inherit in addition to the usual ones; None: they are sent over the network,
    where they inherit nothing and the server knows the user.
    """
    from actors.job_requests.job_file import load_job_file
    from actors.validation import CheckedError

    try:
        if env_from is None:
            return load_job_file(path, inherits=False)
        return load_job_file(path, user=os_user(), env_from=env_from)
    except CheckedError as error:
        raise BadInput(str(error)) from None


def os_user() -> str:
    """The name of the user who runs this command, from the system's own table rather than from a variable."""
    from actors.api.unix_peer import user_name
    from actors.jobs.os_text import shown

    return shown(user_name(os.getuid()))
