"""What people see of a run: a live table on a terminal, a line for each event elsewhere, and a summary at the end."""

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
from actors.cli.output import console, duration, metrics, name_of, note, plain, short, standing, table
from actors.cli.session import ENDS, Plan
from actors.cli.summary import print_summary
from actors.jobs.events import EventType

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
        """Say what can be typed elsewhere."""
        click.echo(_greeting(self._plan, self._log))
        if jobs := board.jobs():
            ended = sum(job["status"] in ENDS for job in jobs)
            click.echo(f"{len(jobs)} jobs{f', {ended} of them ended before' if ended else ''}")
            _say_if_nothing_is_left(jobs)

    def tell(self, event: Mapping[str, Any], board: Board) -> None:
        """Print it, without the steps of a hand-over and of every training."""
        if event["type"] not in _DETAILS and event.get("status") != "queued":
            click.echo(describe(event, _called(board.job(event["job_id"])) if event.get("job_id") else None))

    def paint(self, board: Board) -> None:
        """Lines are printed when things happen."""

    def stopping(self, signal_name: str) -> None:
        """Say that the end has begun."""
        click.echo(_STOPPING.format(signal_name))

    def end(self, board: Board, interrupted: bool) -> None:
        """The summary."""
        print_summary(self._plan, board, self._log, interrupted)


class Live:
    """The jobs, the queue and the actors, drawn anew when something happened."""

    def __init__(self, plan: Plan, log: str | None) -> None:
        self._plan = plan
        self._log = log
        self._live = RichLive(console=console(), auto_refresh=False)
        self._said = ""

    def begin(self, board: Board) -> None:
        """Start drawing below the greeting."""
        click.echo(_greeting(self._plan, self._log))
        _say_if_nothing_is_left(board.jobs())
        self._live.start()

    def tell(self, event: Mapping[str, Any], board: Board) -> None:
        """The last line says what happened last."""
        job = board.job(event["job_id"]) if event.get("job_id") else None
        if event["type"] != EventType.JOB_PROGRESS:
            self._said = describe(event, _called(job))

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
        parts += [Text(queue_line(board)), Text(actors_line(board.tree)), Text(self._said, style="dim")]
        return parts

    def stopping(self, signal_name: str) -> None:
        """Say that the end has begun."""
        self._said = _STOPPING.format(signal_name)

    def end(self, board: Board, interrupted: bool) -> None:
        """Leave the last picture away: the summary says more."""
        self._live.update(Text(self._said, style="dim"), refresh=True)
        self._live.stop()
        print_summary(self._plan, board, self._log, interrupted)


_STOPPING = "{}: what is in flight may end within 10 s; once more ends at once"


def _greeting(plan: Plan, log: str | None) -> str:
    """What this is, and what to type in a second terminal."""
    commands = [("watch", "every change"), ("queue", "who waits, and why"), ("tree", "the actors")]
    lines = [f"  {typed(name, config=plan.config)}    # {what}" for name, what in commands]
    state = f"Greenroom runs on {plan.settings.state_dir}" + (f", its log is {log}" if log else "")
    return "\n".join([state + ".", "In a second terminal, from this directory:", *lines, ""])


def _say_if_nothing_is_left(jobs: list[dict[str, Any]]) -> None:
    if jobs and all(job["status"] in ENDS for job in jobs):
        click.echo("All of them ended in an earlier run, and nothing is run again. Change the file, or use another")
        click.echo("state directory (GREENROOM_HOME), to run them anew.")


def _called(job: dict[str, Any] | None) -> str | None:
    return None if job is None else f"{name_of(job)} ({plain(job['user_id'])})"


def _urgency(job: dict[str, Any]) -> tuple[int, str]:
    return _ORDER.get(job["status"], 2), job["completed_at"] or ""


def jobs_table(jobs: list[dict[str, Any]], width: int) -> Table:
    """One line a job: who, where it stands, how far, what it measures, why it waits; less on a narrow screen."""
    wide = width >= _WIDE
    columns = ("JOB", "NAME", "USER", "STATUS", "", "MEASURES", "RAN", "WHY")
    made = table(columns if wide else ("NAME", "STATUS", "RAN", "WHY"), (), one_line=True)
    for job in jobs:
        status, measures = Text(standing(job), style=_style(job)), metrics(job["result"] or job["progress"])
        if wide:
            who = (short(job["job_id"]), name_of(job), plain(job["user_id"]), status)
            made.add_row(*who, _bar(job), plain(measures), duration(job), plain(_why(job)))
        else:
            made.add_row(name_of(job), status, duration(job), plain(_why(job) or measures))
    return made


def _style(job: dict[str, Any]) -> str:
    if job["queue_status"] == "blocked":
        return "magenta"
    return {"completed": "green", "running": "cyan", "failed": "red", "cancelled": "yellow"}.get(job["status"], "")


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
