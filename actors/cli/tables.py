"""Tables for people and JSON for programs; control characters in text from outside never reach the terminal.

On a terminal a table is no wider than the terminal, what does not fit is cut, and statuses have colours. Elsewhere
every row is one whole line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click
import orjson

from actors.jobs.os_text import REPLACED, printable, readable

_SHORT = 12
"""How many characters of an ID tables show: its end, which is its random part."""
_GAP = "   "
_KEYS = ("#", "JOB", "ID", "NAME", "STATUS")
"""Columns that are always shown, even on a narrow terminal."""
_NARROWEST = {"JOB": _SHORT, "ID": _SHORT, "NAME": 12, "USER": 6, "STATUS": 9}
"""Columns whose cells are cut if a row is too long, and the width that they keep."""
_TEXT = 20
"""The least width of a long text beside other cells; if there is less, it is printed below the row."""
_BELOW = "    "
_SAME = ("USER", "PROVIDER")
"""Columns that are left out before others if they are the same in all rows."""
_TEXTS = ("", "WHY", "CHANGE WITH")
_COLOURS = {
    "completed": "green", "running": "cyan", "failed": "red", "cancelled": "yellow", "blocked": "magenta",
    "expired": "yellow", "approved": "green", "rejected": "red", "restarting": "yellow", "parked": "red",
}  # fmt: skip


def print_json(document: Any) -> None:
    """Print one document, indented."""
    try:
        content = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    except TypeError:  # a path that is not UTF-8
        content = orjson.dumps(readable(document), option=orjson.OPT_INDENT_2)
    click.echo(content)


def print_answer(document: Any, as_json: bool, print_text: Callable[[Any], None]) -> None:
    """Print ``document`` as JSON for programs, or as text for people."""
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


def is_coloured() -> bool:
    """Whether the terminal and its user want colours; click leaves them out elsewhere."""
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def print_rows(
    found: Sequence[Any], as_json: bool, empty: str, columns: Mapping[str, str | Callable[[Any], object]]
) -> None:
    """Print documents as JSON, or as a table.

    ``columns``: by title, the key of the cell in a document, or the function that makes the cell.
    """
    if as_json:
        print_json(found)
    else:
        rows = [[one[cell] if isinstance(cell, str) else cell(one) for cell in columns.values()] for one in found]
        print_table(tuple(columns), rows, empty)


def ending(key: str) -> Callable[[Any], str]:
    """A column with the end of the identifier under ``key``."""
    return lambda one: short(one[key])


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print a table on stdout, or ``empty`` if it has no rows."""
    table = [list(columns), *([plain(cell) for cell in row] for row in rows)]
    if len(table) == 1:
        click.echo(empty)
        return
    width = terminal_width()
    if width is None:
        widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
        click.echo("\n".join(_GAP.join(map(_filled, row, widths)).rstrip() for row in table))
        return
    for number, block in enumerate(_blocks(table, width)):
        if number:
            click.echo()
        block.print()


class _Block(NamedTuple):
    """Columns of a table that fit beside each other, by number, each with its width; long texts are ``below`` each
    row.
    """

    table: list[list[str]]
    widths: dict[int, int]
    below: Sequence[int]
    width: int

    def print(self) -> None:
        titles = self.table[0]
        for number, row in enumerate(self.table):
            line = [_filled(_cut(row[column], width), width) for column, width in self.widths.items()]
            if is_coloured():
                styled = zip(line, [row[column] for column in self.widths], strict=True)
                line = [click.style(part, fg=colour_of(text), bold=number == 0 or None) for part, text in styled]
            click.echo(_GAP.join(line).rstrip())
            for column in self.below if number else ():
                if row[column]:
                    title = f"{titles[column].lower()}: " if titles[column] else ""
                    click.echo(_cut(f"{_BELOW}{title}{row[column]}", self.width))


def _blocks(table: list[list[str]], width: int) -> Iterator[_Block]:
    """The table in blocks, one below the other, each no wider than ``width``; one block if possible.

    First, columns without information are left out; then long texts are cut, or printed below their rows; then names
    are cut.
    """
    titles = table[0]
    widths = {number: max(map(cells, column)) for number, column in enumerate(zip(*table, strict=True))}
    texts = _texts(titles, widths)
    if _sum(widths) > width:
        widths = {
            number: one
            for number, one in widths.items()
            if titles[number] in _KEYS or _tells(table, number, strictly=False)
        }
    if _sum({number: one for number, one in widths.items() if number not in texts}) > width:
        widths = {number: one for number, one in widths.items() if titles[number] in _KEYS or _tells(table, number)}
    texts = [number for number in texts if number in widths] if _sum(widths) > width else []
    others = {number: one for number, one in widths.items() if number not in texts}
    space = width - _sum(others) - len(_GAP) * len(texts)
    if space >= sum(min(widths[number], _TEXT) for number in texts):
        yield _Block(table, others | _shared({number: widths[number] for number in texts}, space), (), width)
        return
    for number in others:
        others[number] -= max(0, min(_sum(others) - width, others[number] - _NARROWEST.get(titles[number], width)))
    keys = {number: one for number, one in others.items() if titles[number] in _KEYS[:4]}
    block = dict[int, int]()
    for number, one in others.items():
        if len(block) > len(keys) and _sum({**block, number: one}) > width:
            yield _Block(table, block, texts, width)
            block, texts = dict(keys), []
        block[number] = max(1, min(one, width - _sum(block) - len(_GAP))) if block else one
    yield _Block(table, block, texts, width)


def _sum(widths: Mapping[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * max(0, len(widths) - 1)


def _tells(table: list[list[str]], number: int, *, strictly: bool = True) -> bool:
    """Whether a column has any value and, if ``strictly`` or in :data:`_SAME`, not the same in each row."""
    found = {row[number] for row in table[1:]}
    title = table[0][number]
    judged = title in _SAME or (strictly and len(table) > 2)
    return bool(found - {""}) and not (judged and len(found) == 1)


def _texts(titles: Sequence[str], widths: Mapping[int, int]) -> list[int]:
    """The last columns, if they are long texts."""
    texts = list[int]()
    for number in reversed(widths):
        if titles[number] in _NARROWEST or (widths[number] <= _TEXT and titles[number] not in _TEXTS):
            break
        texts.insert(0, number)
    return texts


def _shared(widths: dict[int, int], space: int) -> dict[int, int]:
    """These widths, with the widest ones reduced until they fit."""
    while sum(widths.values()) > space:
        widths[max(widths, key=widths.__getitem__)] -= 1
    return widths


def space_left(columns: Sequence[str], rows: Sequence[Sequence[object]], least: int, most: int) -> int:
    """The width that one more column of this table may have, from ``least`` to ``most``."""
    width = terminal_width()
    if width is None:
        return most
    table = [columns, *([plain(cell) for cell in row] for row in rows)]
    taken = sum(max(map(cells, column)) + len(_GAP) for column in zip(*table, strict=True))
    return min(most, max(least, width - taken))


def _filled(text: str, width: int) -> str:
    return text.ljust(width) if text.isascii() else text + " " * (width - cells(text))


def terminal_width() -> int | None:
    """The width of the terminal on stdout; None if stdout is no terminal."""
    if not sys.stdout.isatty():
        return None
    try:
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 80


def cells(text: str) -> int:
    """The width of ``text`` on a terminal: wide characters take two columns, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text
    )


def _cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns of a terminal; an ellipsis replaces what is left out."""
    if cells(text) <= width:
        return text
    end = next((n for n in range(min(len(text), width), 0, -1) if cells(text[:n]) < width), 0)
    return f"{text[:end].rstrip()}…"
