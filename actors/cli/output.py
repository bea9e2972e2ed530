"""How answers look: tables for people, JSON for programs, times in words, and no trust in what jobs call themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import orjson

from actors.jobs.durations import seconds_between
from actors.jobs.os_text import REPLACED, printable, readable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

Document = Mapping[str, Any]

_SHORT = 12
"""Characters of an identifier that people see: its end, which is its random part."""
_PIPE_WIDTH = 200
_WHOLE = frozenset({"JOB", "ID", "NAME", "USER", "STATUS", "RAN"})
_LONGEST = {"NAME": 36}
_SHORTEST = {"NAME": 12, "STATUS": 9, "RAN": 6}
_STYLES = {
    "completed": "green", "running": "cyan", "failed": "red", "cancelled": "yellow", "blocked": "magenta",
    "expired": "yellow", "approved": "green", "rejected": "red", "restarting": "yellow", "parked": "red",
}  # fmt: skip


def print_json(document: Any) -> None:
    """One document, indented."""
    click.echo(orjson.dumps(readable(document), option=orjson.OPT_INDENT_2))


def print_answer(document: Any, as_json: bool, print_text: Callable[[Any], None]) -> None:
    """``document`` as JSON for programs, or as text for people."""
    (print_json if as_json else print_text)(document)


def plain(value: object) -> str:
    """``value`` as one line of printable text: names come from outside and may hold what terminals obey."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return printable(text.replace("\n", " / "), REPLACED)


def short(identifier: str | None) -> str:
    """The end of an identifier, enough to name it."""
    return "" if identifier is None else identifier[-_SHORT:]


def name_of(job: Document) -> str:
    """What people call a job: its name, or the program it runs."""
    named = job.get("config_name") or job.get("entry_point")
    if named is None and job.get("command"):
        named = " ".join(job["command"])
    return plain(named or short(job["job_id"]))


def console() -> Console:
    """stdout for people; where it is no terminal, wide enough that nothing is cut."""
    from rich.console import Console

    found = Console(highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_PIPE_WIDTH)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, one_line: bool = False) -> Table:
    """A table whose cells are plain text; a status has its colour. ``one_line``: what does not fit is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        whole = column in _WHOLE or one_line
        made.add_column(
            column,
            overflow="ellipsis" if whole else "fold",
            no_wrap=whole,
            min_width=_SHORTEST.get(column),
            max_width=_LONGEST.get(column),
        )
    for row in rows:
        cells = [one if isinstance(one, Text) else Text(plain(one)) for one in row]
        for cell in cells:
            if style := _STYLES.get(cell.plain.split(",")[0]):
                cell.stylize(style)
        made.add_row(*cells)
    return made


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table on stdout, or a sentence where it would be empty."""
    found = list(rows)
    if found:
        print_parts([table(columns, found)])
    else:
        click.echo(empty)


def print_parts(parts: Iterable[RenderableType]) -> None:
    """Tables as wide as the terminal; lines of text whole, so that commands in them work as pasted."""
    from rich.text import Text

    target = console()
    with target.capture() as written:
        for part in parts:
            target.print(part, soft_wrap=isinstance(part, Text))
    for line in written.get().splitlines():
        click.echo(line.rstrip())


def instant(text: str | None) -> datetime | None:
    """A time of a document."""
    return None if text is None else datetime.fromisoformat(text)


def lasted(seconds: float) -> str:
    """A duration in words: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def ago(text: str | None) -> str:
    """How long ago a time of a document was."""
    time = instant(text)
    return "" if time is None else f"{lasted(seconds_between(time, datetime.now(UTC)))} ago"


def duration(job: Document) -> str:
    """How long a job has run, or ran."""
    started = instant(job.get("started_at"))
    if started is None:
        return ""
    ended = instant(job.get("completed_at")) or datetime.now(UTC)
    return lasted(seconds_between(started, ended))


def standing(job: Document) -> str:
    """Where a job stands, in words: ``running, cancel requested 12 s ago``."""
    waits = job["status"] == "pending" and job["queue_status"] in ("blocked", "ready")
    words = [job["queue_status"] if waits else job["status"]]
    if job.get("uncertain"):
        words.append("uncertain")
    if job.get("cancel_requested_at") and not job.get("completed_at"):
        words.append(f"cancel requested {ago(job['cancel_requested_at'])}")
    return ", ".join(words)


def metrics(values: Mapping[str, Any] | None) -> str:
    """The measures people ask for first, of progress or result."""
    if not values:
        return ""
    found = [name for name in ("accuracy", "loss") if isinstance(values.get(name), int | float)]
    return "  ".join(f"{name} {values[name]:.4g}" for name in found)


def note(job: Document) -> str:
    """What else there is to say of a job: why it waits, how far it is, why it failed, what came of it."""
    if job.get("reason"):
        return str(job["reason"])
    if job.get("uncertain"):
        return f"{job['uncertain']['reason']}; greenroom settle {short(job['job_id'])} ..."
    if job.get("error_message"):
        return str(job["error_message"])
    if job["status"] == "running" and job.get("progress"):
        done = job["progress"]
        steps = f"{done['step']}/{done['total']}  " if "step" in done and "total" in done else ""
        return steps + metrics(done)
    return metrics(job.get("result"))
