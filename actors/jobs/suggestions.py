"""The suggestion at the end of a good error message, for everything in ``actors`` except its kernel, which knows no
jobs.

The kernel uses the one of :mod:`supervision.checks`, which depends on nothing else.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

_MOST, _LONGEST = 300, 80
"""Names that are compared, and characters of each: a comparison of two names takes up to a tenth of a millisecond."""


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` where one of ``known`` is near, else nothing; in bounded time, however many these are."""
    names = {one[:_LONGEST]: one for one in known}
    if len(names) > _MOST:  # only those that are most alike at first sight
        near = (one for one in names if one[:1] == wrong[:1] and abs(len(one) - len(wrong)) <= 2)
        names = {one: names[one] for one in islice(near, _MOST)}
    found = difflib.get_close_matches(wrong[:_LONGEST], names, n=1)
    return f"; did you mean {names[found[0]]}?" if found else ""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """:func:`suggestion`, or else the list of what is known where it is short."""
    names = list(known)
    return suggestion(wrong, names) or (f"; known are {', '.join(names)}" if 0 < len(names) <= 12 else "")


def suggestion_of_configured(wrong: str, known: Iterable[str], section: str) -> str:
    """:func:`suggestion`, or else where more may be added: in ``section`` of the configuration."""
    names = list(known)
    listed = f"known are {', '.join(names)}; " if 0 < len(names) <= 12 else ""
    return (
        suggestion(wrong, names) or f"; {listed}others are added in section {section} of the supervisor's configuration"
    )


def one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter added, left out or changed, or two neighbours swapped, makes ``one`` the ``other``."""
    short, long = sorted((one, other), key=len)
    start = next((index for index, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(long) - len(short) == 1:
        return short[start:] == long[start + 1 :]
    if len(long) != len(short) or short == long:
        return False
    swapped = short[:start] + short[start : start + 2][::-1] + short[start + 2 :]
    return short[start + 1 :] == long[start + 1 :] or swapped == long
