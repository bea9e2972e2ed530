"""How much a scripted remote held at one time: what tests of limits and slots judge by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from datetime import datetime
from typing import Any

from actors.providers.scripted import ScriptedRemote
from actors.providers.scripted.remote import Run


def most_at_once(
    remote: ScriptedRemote, by: Callable[[Run], Hashable] = lambda _: None, weigh: Callable[[Run], int] = lambda _: 1
) -> dict[Any, int]:
    """The most that was held at one time, by group: one a run, or what ``weigh`` says (its GPUs, for example).

    A run is held from its acceptance to its end; one that ends makes room for one that begins in that moment.
    """
    edges: defaultdict[Any, list[tuple[datetime, int]]] = defaultdict(list)
    for run in remote.runs:
        ends, weight = run.timeline.ends, weigh(run)
        edges[by(run)].append((run.submitted_at, weight))
        if ends is not None:
            edges[by(run)].append((ends, -weight))
    return {group: max(_levels(moments)) for group, moments in edges.items()}


def _levels(moments: list[tuple[datetime, int]]) -> Iterator[int]:
    level = 0
    for _, change in sorted(moments):
        level += change
        yield level
