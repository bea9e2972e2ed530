"""The output of a run: a live table on a terminal, one line per event elsewhere, and a summary at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from actors.cli.board import Board, Plan
from actors.cli.event_text import describe
from actors.cli.job_text import accuracy_and_loss, duration, how_many, jobs_text, name_and_user, name_of, note, standing
from actors.cli.queue_text import all_counts_text, headline
from actors.cli.summary import print_summary
from actors.cli.tables import colour_of, plain, short
from actors.jobs.events import EventType
from actors.jobs.statuses import TERMINAL_JOBS
from actors.net.connections import GRACE

_DETAILS = frozenset({EventType.JOB_PROGRESS, EventType.JOB_DISPATCHED, EventType.JOB_HANDED_OVER})
_ORDER = {"running": 0, "queued": 0, "uploading": 0, "pending": 1}
_BAR = 16
_WIDE = 110
_PIPE_WIDTH = 200
_AROUND = 8
"""Lines of the screen that are not rows: head, queue, actors, borders."""


class Lines:
    """Shows a run as one line for each event: for pipes, files and CI."""

    def __init__(self, plan: Plan, log: str | None) -> None:
        self._plan = plan
        self._log = log

    def begin(self, board: Board) -> None:
        """The runtime is ready: print where its state is, and commands for a second terminal."""
        log = f" Its log is {self._log}." if self._log else ""
        click.echo(f"Greenroom is running. Its state is in {self._plan.settings.state_dir}.{log}")
        for text in board.notes:
            click.secho(plain(text), fg="yellow")
        click.echo("In a second terminal, from this directory:")
        for name, what in (
            ("watch", "every change"),
            ("queue", "waiting jobs, and why"),
            ("tree", "the actors and servers"),
        ):
            click.echo(f"  {self._plan.typed(name)}    # {what}")
        click.echo()
        jobs = board.jobs()
        ended = sum(job["status"] in TERMINAL_JOBS for job in jobs)
        if jobs:
            before = f", {ended} of them ended before" if ended else ""
            of_file = all("created" in job for job in jobs)
            click.echo(
                f"{jobs_text(len(jobs))}: {how_many(jobs)}{before}" if of_file else f"{jobs_text(len(jobs))}{before}"
            )
        if jobs and ended == len(jobs):
            click.echo("All of them ended in an earlier run, and nothing is run again. --again runs all of them anew,")
            click.echo("--retry-failed those that have failed.")

    def show_event(self, event: Mapping[str, Any], board: Board) -> None:
        """Print an event, unless it is progress or a step of a submission."""
        if event["type"] not in _DETAILS and event.get("status") != "queued":
            self.show_line(self._described(event, board))

    def show_line(self, line: str) -> None:
        """Show one line of text."""
        click.echo(line)

    def _described(self, event: Mapping[str, Any], board: Board) -> str:
        job = board.job(event["job_id"]) if event.get("job_id") else None
        return describe(event, None if job is None else name_and_user(job), self._plan.typed)

    def paint(self, board: Board) -> None:
        """Draw the board, which is up to date. Does nothing here, because lines are printed as events arrive."""

    def stopping(self, signal_name: str) -> None:
        """Show that a signal has begun the stop."""
        what = f"requests and submissions in progress have {GRACE:g} s"
        self.show_line(f"{signal_name}: stopping; {what}. Press again to stop at once")

    def end(self, board: Board, interrupted: bool) -> None:
        """The runtime has stopped: print the summary."""
        print_summary(self._plan, board, self._log, interrupted)


class Live(Lines):
    """The jobs, the queue and the actors, drawn again after each change; the last event is the last line."""

    def __init__(self, plan: Plan, log: str | None) -> None:
        super().__init__(plan, log)
        self._live = RichLive(console=console(), auto_refresh=False)
        self._last_line = ""

    def begin(self, board: Board) -> None:
        """Start drawing below the greeting."""
        super().begin(board)
        self._live.start()

    def show_event(self, event: Mapping[str, Any], board: Board) -> None:
        """Show an event in the last line, unless it is progress, which the table has."""
        if event["type"] != EventType.JOB_PROGRESS:
            self.show_line(self._described(event, board))

    def show_line(self, line: str) -> None:
        """Keep the line, which is drawn with the next change."""
        self._last_line = line

    def paint(self, board: Board) -> None:
        """Draw the board."""
        self._live.update(Group(*self._drawn(board)), refresh=True)

    def _drawn(self, board: Board) -> Iterator[RenderableType]:
        jobs = board.jobs()
        height = max(3, self._live.console.height - _AROUND)
        shown = jobs if len(jobs) <= height else sorted(jobs, key=_urgency)[:height]
        yield jobs_table(shown, self._live.console.width)
        if hidden := len(jobs) - len(shown):
            yield Text(f"... and {hidden} more: {self._plan.typed('jobs')}", style="dim")
        yield from (Text(queue_line(board)), Text(actors_line(board.tree)), Text(self._last_line, style="dim"))

    def end(self, board: Board, interrupted: bool) -> None:
        """Replace the table by the summary."""
        self._live.update(Text(self._last_line, style="dim"), refresh=True)
        self._live.stop()
        super().end(board, interrupted)


def console() -> Console:
    """A console on stdout for rich; if stdout is no terminal, wide enough that nothing is cut."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _urgency(job: dict[str, Any]) -> tuple[int, str]:
    return _ORDER.get(job["status"], 2), job["completed_at"] or ""


def jobs_table(jobs: list[dict[str, Any]], width: int) -> Table:
    """One line per job: name, status, progress, accuracy and loss, reason; fewer columns on a narrow screen."""
    if width < _WIDE:
        rows = [(name_of(job), standing(job), duration(job), _why(job) or _numbers(job)) for job in jobs]
        return _table(("NAME", "STATUS", "RAN", "WHY"), rows)
    columns = ("JOB", "NAME", "USER", "STATUS", "", "METRICS", "RAN", "WHY")
    wide = [
        (short(job["job_id"]), name_of(job), job["user_id"], standing(job), _bar(job), _numbers(job), duration(job),
         _why(job))
        for job in jobs
    ]  # fmt: skip
    return _table(columns, wide)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, no_wrap=True, max_width=36 if column == "NAME" else None)
    for row in rows:
        cells = (one if isinstance(one, ProgressBar) else plain(one) for one in row)
        made.add_row(*(Text(one, colour_of(one) or "") if isinstance(one, str) else one for one in cells))
    return made


def _numbers(job: dict[str, Any]) -> str:
    return accuracy_and_loss(job["result"] or job["progress"])


def _why(job: dict[str, Any]) -> str:
    return "" if job["status"] == "completed" or (job["status"] == "running" and not job["uncertain"]) else note(job)


def _bar(job: dict[str, Any]) -> RenderableType:
    done = job["progress"] or {}
    step, total = (
        value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf") else None
        for value in (done.get("step"), done.get("total"))
    )
    return ProgressBar(total=total, completed=min(step, total), width=_BAR) if step is not None and total else ""


def queue_line(board: Board) -> str:
    """The state of the queue in one line."""
    queue = board.queue
    closed = "".join(f"; {why}" for why in queue["closed_providers"].values())
    others = f"; {jobs_text(board.others())} beside these" if board.others() else ""
    return plain(f"queue   {all_counts_text(queue) or 'empty'}. {headline(queue)}{closed}{others}")


def actors_line(tree: list[dict[str, Any]]) -> str:
    """Every actor and server in one line, each with its state if it is not running."""
    return plain(f"actors  {', '.join(_workers(tree))}")


def _workers(nodes: list[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        if node.get("children"):
            yield from _workers(node["children"])
            continue
        state = "" if node["state"] == "running" else f" {node['state']}"
        yield f"{node['id']}{state}" + (f" (restarted {node['restarts']}x)" if node["restarts"] else "")
