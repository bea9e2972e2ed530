"""Tables for people and JSON for programs; text from outside never reaches the terminal as control characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

from actors.jobs.os_text import REPLACED, printable, readable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_SHORT = 12
"""Characters of an ID that tables show: its end, which is its random part."""
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
    """``value`` as one line of printable text: names come from outside and may hold control characters."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return printable(text.replace("\n", " / "), REPLACED)


def short(identifier: str | None) -> str:
    """The end of an identifier, enough to name it."""
    return "" if identifier is None else identifier[-_SHORT:]


def console() -> Console:
    """stdout for people; where it is no terminal, wide enough that nothing is cut."""
    from rich.console import Console

    found = Console(highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_PIPE_WIDTH)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, one_line: bool = False) -> Table:
    """A table of plain text, and of progress bars; a status has its colour. ``one_line``: what does not fit is cut."""
    from rich.box import SIMPLE_HEAD
    from rich.progress_bar import ProgressBar
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
        cells = [one if isinstance(one, ProgressBar) else Text(plain(one)) for one in row]
        for cell in cells:
            if isinstance(cell, Text) and (style := _STYLES.get(cell.plain.split(",")[0])):
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
