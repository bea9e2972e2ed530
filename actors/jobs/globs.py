"""Patterns of names, as in a shell: ``*`` any text, ``?`` one character, ``[a-z]`` one of these, ``[!a-z]`` or
``[^a-z]`` none of these.

Capital and small letters differ. In brackets a special character stands for itself: ``[*]``.

The database evaluates them (its GLOB). Its time for one name is at most the product of both lengths, however many stars
there are: if the last star finds no match, those before it are not tried again.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator

from actors.jobs.os_text import is_one_line
from actors.jobs.refusal import invalid

_SET = re.compile(r"\[([!^]?)(\][^]]*|[^]]+)\]")


def checked(pattern: str, field: str = "name") -> str:
    """``pattern`` as the database's GLOB takes it. Raises :class:`~actors.jobs.refusal.Refused` for an open bracket."""
    if not is_one_line(pattern):
        raise invalid(field, "must be text without control characters")
    return "".join(_parts(pattern, field))


def fits(name: str, pattern: str) -> bool:
    """Return whether ``name`` fits ``pattern``, in which a bracket that is not closed stands for itself."""
    return fnmatch.fnmatchcase(name, _SET.sub(lambda found: f"[{found[1] and '!'}{found[2]}]", pattern))


def literal_start(pattern: str) -> str:
    """The text with which every name begins that fits ``pattern``, possibly empty."""
    return pattern[: next((at for at, one in enumerate(pattern) if one in "*?["), len(pattern))]


def is_literal(pattern: str) -> bool:
    """Whether ``pattern`` is a name and nothing more."""
    return literal_start(pattern) == pattern


def _parts(pattern: str, field: str) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        if pattern[at] != "[":
            yield pattern[at]
            at += 1
            continue
        negated = pattern[at + 1 : at + 2] in ("!", "^")
        first = at + 1 + negated
        end = pattern.find("]", first + 1)  # a bracket that is the first of the set stands for itself
        if end < 0:
            raise invalid(field, f"{pattern!r:.80}: the bracket [ is not closed; for the character itself write [[]")
        yield f"[{'^' if negated else ''}{pattern[first:end]}]"
        at = end + 1
