"""Tables for people and JSON for programs; text from outside never reaches the terminal as control characters.

On a terminal a table is as wide as that and a status has its colour. Elsewhere every row is one whole line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import click
import orjson

from actors.jobs.os_text import REPLACED, printable, readable

_SHORT = 12
"""Characters of an ID that tables show: its end, which is its random part."""
_GAP = "   "
_CUT = frozenset({"JOB", "ID", "NAME", "USER", "STATUS", "RAN"})
"""Columns whose cells stay on one line; what does not fit is cut. Other cells continue on the next line."""
_NARROWEST = {"JOB": _SHORT, "ID": _SHORT, "NAME": 12, "STATUS": 9}
_COLOURS = {
    "completed": "green", "running": "cyan", "failed": "red", "cancelled": "yellow", "blocked": "magenta",
    "expired": "yellow", "approved": "green", "rejected": "red", "restarting": "yellow", "parked": "red",
}  # fmt: skip


def print_json(document: Any) -> None:
    """One document, indented."""
    try:
        content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    except TypeError:  # a path that is not UTF-8
        content = orjson.dumps(readable(document), option=orjson.OPT_INDENT_2)
    click.echo(content)


def print_answer(document: Any, as_json: bool, print_text: Callable[[Any], None]) -> None:
    """``document`` as JSON for programs, or as text for people."""
    (print_json if as_json else print_text)(document)


def plain(value: object) -> str:
    """``value`` as one line of printable text: names come from outside and may hold control characters."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if text.isascii() and text.isprintable():
        return text
    return printable(text.replace("\n", " / "), REPLACED)


def short(identifier: str | None) -> str:
    """The end of an identifier, enough to name it."""
    return "" if identifier is None else identifier[-_SHORT:]


def colour_of(status: str) -> str | None:
    """The colour in which a status is shown, if it has one."""
    return _COLOURS.get(status.split(",")[0])


def print_rows(
    found: Sequence[Any], as_json: bool, empty: str, columns: Mapping[str, str | Callable[[Any], object]]
) -> None:
    """Documents as JSON, or as a table: of each column the key in a document, or the function that gives its cell."""
    if as_json:
        print_json(found)
    else:
        rows = [[one[cell] if isinstance(cell, str) else cell(one) for cell in columns.values()] for one in found]
        print_table(tuple(columns), rows, empty)


def ending(key: str) -> Callable[[Any], str]:
    """A column with the end of the identifier that is under ``key``."""
    return lambda one: short(one[key])


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table on stdout, or a sentence where it would be empty."""
    table = [list(columns), *([plain(cell) for cell in row] for row in rows)]
    if len(table) == 1:
        click.echo(empty)
        return
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    width = _terminal_width()
    if width is None:
        click.echo("\n".join(_GAP.join(map(_filled, row, widths)).rstrip() for row in table))
        return
    _narrow(columns, widths, width)
    coloured = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    for number, row in enumerate(table):
        folded = [_folded(*cell) for cell in zip(columns, row, widths, strict=True)]
        for parts in zip_longest(*folded, fillvalue=""):
            line = list(map(_filled, parts, widths))
            if coloured:
                styled = zip(line, row, strict=True)
                line = [click.style(part, fg=colour_of(text), bold=number == 0 or None) for part, text in styled]
            click.echo(_GAP.join(line).rstrip())


def _filled(text: str, width: int) -> str:
    return text.ljust(width) if text.isascii() else text + " " * (width - cells(text))


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
    everywhere = range(len(columns))
    for group in ([number for number in everywhere if columns[number] not in _CUT], everywhere):
        while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
            wide = [number for number in group if widths[number] > _NARROWEST.get(columns[number], 6)]
            if not wide:
                break
            widths[max(wide, key=widths.__getitem__)] -= 1


def cells(text: str) -> int:
    """Columns of a terminal that ``text`` takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def _folded(column: str, text: str, width: int) -> Iterator[str]:
    """``text`` in lines of at most ``width``, broken between words where one ends in the line; or cut to one line."""
    while cells(text) > width:
        end = next(n for n in range(len(text), 0, -1) if n == 1 or cells(text[:n]) <= width)
        if column in _CUT:
            yield f"{text[: end - 1]}…"
            return
        space = text.rfind(" ", 1, end + 1)
        yield text[: space if space > 0 else end]
        text = text[space + 1 if space > 0 else end :]
    yield text
