"""The output of a run: a live table on a terminal, one line per event elsewhere, and a summary at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import click
from rich.console import Group, RenderableType
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actors.cli.board import Board
from actors.cli.context import typed
from actors.cli.event_text import describe
from actors.cli.job_text import duration, metrics, name_of, note, standing
from actors.cli.session import Plan
from actors.cli.summary import print_summary
from actors.cli.tables import console, plain, short, table
from actors.jobs.events import EventType
from actors.jobs.records import TERMINAL_JOBS

_DETAILS = frozenset({EventType.JOB_PROGRESS, EventType.JOB_DISPATCHED, EventType.JOB_HANDED_OVER})
_ORDER = {"running": 0, "queued": 0, "uploading": 0, "pending": 1}
_BAR = 16
_WIDE = 110
_AROUND = 8
"""Lines of the screen that are not rows: head, queue, actors, borders."""


class Lines:
    """A line for each event: for pipes, files and CI."""

    def __init__(self, plan: Plan, log: str | None) -> None:
        self._plan = plan
        self._log = log

    def begin(self, board: Board) -> None:
        """Print the greeting: commands for a second terminal."""
        click.echo(_greeting(self._plan, self._log))
        if jobs := board.jobs():
            ended = sum(job["status"] in TERMINAL_JOBS for job in jobs)
            click.echo(f"{len(jobs)} jobs{f', {ended} of them ended before' if ended else ''}")
            _hint_if_all_ended(jobs)

    def show_event(self, event: Mapping[str, Any], board: Board) -> None:
        """Print it, unless it is progress or a step of a submission."""
        if event["type"] not in _DETAILS and event.get("status") != "queued":
            click.echo(describe(event, _called(board.job(event["job_id"])) if event.get("job_id") else None))

    def paint(self, board: Board) -> None:
        """Nothing: lines are printed as events arrive."""

    def stopping(self, signal_name: str) -> None:
        """Show that the run is stopping."""
        click.echo(_STOPPING.format(signal_name))

    def end(self, board: Board, interrupted: bool) -> None:
        """The summary."""
        print_summary(self._plan, board, self._log, interrupted)


class Live:
    """The jobs, the queue and the actors, drawn again after each change."""

    def __init__(self, plan: Plan, log: str | None) -> None:
        self._plan = plan
        self._log = log
        self._live = RichLive(console=console(), auto_refresh=False)
        self._last_line = ""

    def begin(self, board: Board) -> None:
        """Start drawing below the greeting."""
        click.echo(_greeting(self._plan, self._log))
        _hint_if_all_ended(board.jobs())
        self._live.start()

    def show_event(self, event: Mapping[str, Any], board: Board) -> None:
        """Show it in the last line."""
        job = board.job(event["job_id"]) if event.get("job_id") else None
        if event["type"] != EventType.JOB_PROGRESS:
            self._last_line = describe(event, _called(job))

    def paint(self, board: Board) -> None:
        """Draw."""
        self._live.update(Group(*self._drawn(board)), refresh=True)

    def _drawn(self, board: Board) -> list[RenderableType]:
        jobs = board.jobs()
        room = max(3, self._live.console.height - _AROUND)
        shown = jobs if len(jobs) <= room else sorted(jobs, key=_urgency)[:room]
        parts: list[RenderableType] = [jobs_table(shown, self._live.console.width)]
        if hidden := len(jobs) - len(shown):
            parts.append(Text(f"... and {hidden} more: greenroom jobs", style="dim"))
        parts += [Text(queue_line(board)), Text(actors_line(board.tree)), Text(self._last_line, style="dim")]
        return parts

    def stopping(self, signal_name: str) -> None:
        """Show that the run is stopping."""
        self._last_line = _STOPPING.format(signal_name)

    def end(self, board: Board, interrupted: bool) -> None:
        """Replace the table by the summary."""
        self._live.update(Text(self._last_line, style="dim"), refresh=True)
        self._live.stop()
        print_summary(self._plan, board, self._log, interrupted)


_STOPPING = "{}: stopping; requests in progress have 10 s. Press again to stop at once"


def _greeting(plan: Plan, log: str | None) -> str:
    """Where the state is, and commands for a second terminal."""
    commands = [("watch", "every change"), ("queue", "waiting jobs, and why"), ("tree", "the actors")]
    lines = [f"  {typed(name, config=plan.config)}    # {what}" for name, what in commands]
    state = f"Greenroom runs on {plan.settings.state_dir}" + (f", its log is {log}" if log else "")
    return "\n".join([state + ".", "In a second terminal, from this directory:", *lines, ""])


def _hint_if_all_ended(jobs: list[dict[str, Any]]) -> None:
    if jobs and all(job["status"] in TERMINAL_JOBS for job in jobs):
        click.echo("All of them ended in an earlier run, and nothing is run again. Change the file, or use another")
        click.echo("state directory (GREENROOM_HOME), to run them again.")


def _called(job: dict[str, Any] | None) -> str | None:
    return None if job is None else f"{name_of(job)} ({plain(job['user_id'])})"


def _urgency(job: dict[str, Any]) -> tuple[int, str]:
    return _ORDER.get(job["status"], 2), job["completed_at"] or ""


def jobs_table(jobs: list[dict[str, Any]], width: int) -> Table:
    """One line per job: name, status, progress, metrics, reason; fewer columns on a narrow screen."""
    if width < _WIDE:
        rows = [(name_of(job), standing(job), duration(job), _why(job) or _metrics(job)) for job in jobs]
        return table(("NAME", "STATUS", "RAN", "WHY"), rows, one_line=True)
    columns = ("JOB", "NAME", "USER", "STATUS", "", "METRICS", "RAN", "WHY")
    wide = [
        (short(job["job_id"]), name_of(job), job["user_id"], standing(job), _bar(job), _metrics(job), duration(job),
         _why(job))
        for job in jobs
    ]  # fmt: skip
    return table(columns, wide, one_line=True)


def _metrics(job: dict[str, Any]) -> str:
    return metrics(job["result"] or job["progress"])


def _why(job: dict[str, Any]) -> str:
    return "" if job["status"] == "completed" or (job["status"] == "running" and not job["uncertain"]) else note(job)


def _bar(job: dict[str, Any]) -> RenderableType:
    done = job["progress"] or {}
    step, total = done.get("step"), done.get("total")
    if not (_counts(step) and _counts(total)) or total == 0:
        return ""
    return ProgressBar(total=float(total), completed=min(float(step), float(total)), width=_BAR)


def _counts(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def queue_line(board: Board) -> str:
    """What waits, in one line."""
    queue = board.queue
    counts = ", ".join(f"{number} {status}" for status, number in queue["counts"].items())
    closed = "".join(f"; {why}" for why in queue["closed_providers"].values())
    others = f"; {board.others()} jobs beside these" if board.others() else ""
    return plain(f"queue   {counts or 'empty'}. {queue['summary']}{closed}{others}")


def actors_line(tree: list[dict[str, Any]]) -> str:
    """Every worker of the tree with its state where that is not running, in one line."""
    words = []

    def walk(nodes: list[dict[str, Any]]) -> None:
        for node in nodes:
            if node.get("children"):
                walk(node["children"])
                continue
            state = "" if node["state"] == "running" else f" {node['state']}"
            restarts = f" (restarted {node['restarts']}x)" if node["restarts"] else ""
            words.append(f"{node['id']}{state}{restarts}")

    walk(tree)
    return plain(f"actors  {', '.join(words)}")
