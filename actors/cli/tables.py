"""Tables for people and JSON for programs; text from outside never reaches the terminal as control characters.

On a terminal a table is as wide as that and a status has its colour. Elsewhere every row is one whole line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
import orjson

from actors.jobs.os_text import REPLACED, printable, readable

if TYPE_CHECKING:
    from rich.console import Console

_SHORT = 12
"""Characters of an ID that tables show: its end, which is its random part."""
_PIPE_WIDTH = 200
_GAP = "   "
_CUT = frozenset({"JOB", "ID", "NAME", "USER", "STATUS", "RAN"})
"""Columns whose cells stay on one line; what does not fit is cut. Other cells continue on the next line."""
_NARROWEST = 6
_COLOURS = {
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


def colour_of(status: str) -> str | None:
    """The colour in which a status is shown, if it has one."""
    return _COLOURS.get(status.split(",")[0])


def console() -> Console:
    """stdout for what rich draws; where it is no terminal, wide enough that nothing is cut."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table on stdout, or a sentence where it would be empty."""
    found = [[plain(cell) for cell in row] for row in rows]
    if not found:
        click.echo(empty)
        return
    widths = [max(map(cells, column)) for column in zip(columns, *found, strict=True)]
    width = _terminal_width()
    if width is not None:
        _narrow(columns, widths, width)
    coloured = None if "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb" else False
    for line in _lines(columns, found, widths):
        click.echo(line.rstrip(), color=coloured)


def _lines(columns: Sequence[str], rows: list[list[str]], widths: list[int]) -> Iterator[str]:
    yield _GAP.join(click.style(_padded(*cell), bold=True) for cell in zip(columns, widths, strict=True))
    for row in rows:
        wrapped = [
            [_cut(text, width)] if column in _CUT else list(_folded(text, width))
            for column, text, width in zip(columns, row, widths, strict=True)
        ]
        for number in range(max(map(len, wrapped))):
            parts = [part[number] if number < len(part) else "" for part in wrapped]
            yield _GAP.join(
                click.style(padded, fg=colour) if (colour := colour_of(text)) and part else padded
                for text, part, width in zip(row, parts, widths, strict=True)
                for padded in (_padded(part, width),)
            )


def _terminal_width() -> int | None:
    """Columns of the terminal that stdout is; None: it is none."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 80


def _narrow(columns: Sequence[str], widths: list[int], width: int) -> None:
    """Take from the widest column, first of those that can continue on the next line, until all fit."""
    for group in ([n for n, name in enumerate(columns) if name not in _CUT], list(range(len(columns)))):
        while group and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
            widest = max(group, key=widths.__getitem__)
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1


def cells(text: str) -> int:
    """Columns of a terminal that ``text`` takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _fitting(text: str, width: int) -> int:
    """How many characters of ``text`` fit into ``width``."""
    if len(text) <= width and text.isascii():
        return len(text)
    end = taken = 0
    while end < len(text) and (taken := taken + cells(text[end])) <= width:
        end += 1
    return end


def _cut(text: str, width: int) -> str:
    return text if cells(text) <= width else f"{text[: _fitting(text, width - 1)]}…"


def _folded(text: str, width: int) -> Iterator[str]:
    """``text`` in lines of at most ``width``, broken between words where one ends in the line."""
    while (end := _fitting(text, width)) < len(text):
        space = text.rfind(" ", 1, end + 1)
        yield text[: space if space > 0 else max(end, 1)]
        text = text[space + 1 if space > 0 else max(end, 1) :]
    yield text
