"""``run``: the supervisor, as a service or with a live display."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from actors.cli.context import Failed, load_settings, read_job_file
from actors.cli.options import with_config

if TYPE_CHECKING:
    from actors.cli.session import Session
    from actors.cli.signals import StopSignals
    from actors.jobs.file_rules import Again
    from actors.settings import Settings


@click.command()
@click.option("--file", type=click.Path(dir_okay=False), help="Submit the jobs of this file first, or continue it.")
@click.option("--again", "again", flag_value="all", help="With --file: submit earlier jobs again, too.")
@click.option("--retry-failed", "again", flag_value="failed", help="With --file: submit failed jobs again.")
@click.option("--until-idle", is_flag=True, help="Stop when no job is pending or running.")
@click.option("--approve-as", metavar="NAME", help="Approve all requests in the name of this user.")
@click.option("--no-check", is_flag=True, help="Submit jobs even if their directory or program is not found.")
@click.option("--fail-on-failure", is_flag=True, help="Exit with status 1 if a job failed.")
@with_config
def run(
    file: str | None, again: Again | None, until_idle: bool, approve_as: str | None, no_check: bool,
    fail_on_failure: bool, config: str | None,
) -> None:  # fmt: skip
    """Run the supervisor until SIGTERM or Ctrl-C.

    When it stops, requests and submissions in progress get 10 s to finish; running jobs continue. On a terminal, or
    with --file or --until-idle, it shows the jobs and logs to a file; otherwise it logs to stdout.
    """
    gc.disable()  # what is imported from here on stays: collecting meanwhile costs a tenth of the start
    if again is not None and file is None:
        raise click.UsageError("--again and --retry-failed are about the jobs of a file: give --file")
    settings = load_settings(config)
    job_file = None if file is None else read_job_file(file, settings.submission.env_from)
    if any(one.kind == "local" for one in settings.providers.values()):
        from actors.providers.local.subreaper import become_subreaper

        become_subreaper()
    shown = job_file is not None or until_idle or sys.stdout.isatty()
    log = _prepare(settings, shown)
    import trio

    from actors.cli.board import Plan
    from actors.cli.session import Session
    from actors.cli.signals import StopSignals
    from logconf import flush

    plan = Plan(
        settings, config, job_file, until_idle, approve_as, fail_on_failure, again or "none", check=not no_check
    )
    display = None
    if shown:
        from actors.cli.display import Lines, Live

        display = (Live if sys.stdout.isatty() else Lines)(plan, log)
    gc.freeze()
    gc.enable()
    signals = StopSignals(_ends(shown))
    try:
        status = trio.run(_run_session, Session(plan, display, signals), signals)
    finally:
        flush()
        signals.ignore()
    if status:
        raise click.exceptions.Exit(status)


async def _run_session(session: Session, signals: StopSignals) -> int:
    try:
        return await session.run()
    finally:
        signals.detach()


def _ends(shown: bool) -> list[signal.Signals]:
    """The signals that end the run. SIGHUP is one if a display draws on a terminal, except under nohup."""
    ends = [signal.SIGINT, signal.SIGTERM]
    if shown and os.isatty(1) and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ends.append(signal.SIGHUP)
    return ends


def _opened(path: str) -> TextIO:
    """The display's log file as a stream, for as long as the process lives."""
    try:
        Path(path).parent.mkdir(mode=0o700, exist_ok=True)
        return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w")  # noqa: PTH123 - the mode, which Path.open cannot give
    except OSError as error:
        raise Failed(f"cannot write to {path}: {error.strerror}") from None


def _prepare(settings: Settings, shown: bool) -> str | None:
    """Make the state directory, configure logging (A2), and say where its file is."""
    from actors.settings import secrets
    from actors.settings.places import note_settings
    from actors.store.state_directory import LOG, StateDirectoryError, check
    from logconf import init_from_env, register_secret

    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        check(settings.state_dir)  # before a log is opened in it
    except StateDirectoryError as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"cannot use the state directory {settings.state_dir}: {error.strerror}") from None
    if not os.access(settings.state_dir, os.W_OK | os.X_OK):
        raise Failed(
            f"cannot write to the state directory {settings.state_dir}: correct its mode or set GREENROOM_HOME"
        )
    note_settings(settings.config_file, settings.state_dir, settings.submission.env_from)
    path = str(settings.state_dir / LOG) if shown else None
    if path is None:
        init_from_env()
    elif os.environ.get("SIMPLETUNER_LOG_FILE"):  # the user's own file replaces stdout; this one is in addition
        init_from_env(stream=_opened(path))
    else:
        init_from_env({**os.environ, "SIMPLETUNER_LOG_FILE": path}, stream=None)
    for secret in secrets(settings):
        register_secret(secret)
    return path
