"""Suggests the ``--`` that is missing before a program whose options were taken for those of ``submit``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

SEPARATOR = "--"


def corrected(command: click.Command, arguments: Sequence[str], unknown: str) -> str | None:
    """The command line with ``--`` before the program; None if the ``unknown`` option does not follow a program."""
    program = None if SEPARATOR in arguments else _program(command, arguments)
    if program is None or not any(_is(word, unknown) for word in arguments[program:]):
        return None
    words = ["greenroom", command.name or "submit", *arguments[:program], SEPARATOR, *arguments[program:]]
    return " ".join(word if word == SEPARATOR else shlex.quote(word) for word in words)


def _is(word: str, option: str) -> bool:
    return word.partition("=")[0] == option if option.startswith("--") else word.startswith(option)


def _program(command: click.Command, arguments: Sequence[str]) -> int | None:
    """The index of the first argument that is neither an option nor an option's value."""
    options = {name: one for one in command.params if isinstance(one, click.Option) for name in one.opts}
    is_value = False
    for place, word in enumerate(arguments):
        if is_value:
            is_value = False
        elif not word.startswith("-") or word == "-":
            return place
        else:
            option = options.get(word)
            is_value = option is not None and not option.is_flag
    return None
