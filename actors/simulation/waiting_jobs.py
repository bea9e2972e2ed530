"""Jobs that wait for others, or for their time: chains, fans and diamonds, drawn like all that happens to a world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any

from actors.simulation.world import EPOCH

Drawn = tuple[float, str, dict[str, Any]]
"""Seconds, kind and arguments of a step."""

LONGEST_START = 150
"""Seconds of a later start at the most: a wait of a world is no longer (``waiting.LONGEST_WAIT``)."""


def waits(draw: Random, seconds: float, request: Callable[[Random], dict[str, Any]]) -> Iterator[Drawn]:
    """In three worlds of four some jobs wait for others or for their time; in one of eight a hundred for one."""
    if draw.random() < 1 / 4:
        return
    for number in range(draw.choice([2, 5, 9])):
        shape = draw.choice([_chain, _chain, _diamond, _later, _later])
        yield from shape(draw, draw.uniform(0, 0.8 * seconds), f"wait-{number}", request)
    if draw.random() < 1 / 8:
        yield from _fan(draw, draw.uniform(0, seconds / 2), request)


def _quick(draw: Random, request: Callable[[Random], dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """A request of a job that does not take long, so that what waits for it comes to an end as well."""
    made = request(draw)
    made["spec"]["duration"] = min(made["spec"]["duration"], 60.0)
    return made | fields


def _chain(draw: Random, at: float, name: str, request: Callable[[Random], dict[str, Any]]) -> Iterator[Drawn]:
    """Each waits for the one before it, submitted one by one or at once; one of them may be cancelled or retried."""
    user, length, mode = draw.choice(["ana", "hal"]), draw.randint(2, 12), draw.choice(["ok", "ok", "ended"])
    markers = [f"{name}-{index}" for index in range(length)]
    requests = [
        _quick(draw, request, user_id=user, after_mode=mode, after=markers[max(index - 1, 0) : index])
        for index in range(length)
    ]
    if draw.random() < 0.5:
        yield at, "batch", {"markers": markers, "requests": requests}
    else:
        for index, (marker, fields) in enumerate(zip(markers, requests, strict=True)):
            keyed = fields | {"idempotency_key": marker}
            yield at + index * draw.choice([0.0, 0.5, 20.0]), "submit", {"marker": marker, "request": keyed}
    for kind in ("cancel", "approve", "retry", "retry_all"):
        if draw.random() < 0.3:
            args = {"marker": draw.choice(markers)} | ({"level": "admin"} if kind == "approve" else {})
            yield at + draw.uniform(0, 300), kind, args


def _diamond(draw: Random, at: float, name: str, request: Callable[[Random], dict[str, Any]]) -> Iterator[Drawn]:
    """One, then a few that wait for it, then one that waits for all of these, by their group or by name."""
    middle = [f"{name}-m{index}" for index in range(draw.randint(2, 6))]
    user, last_mode = draw.choice(["ana", "hal"]), draw.choice(["ok", "ended"])
    last: list[Any] = [{"group": name}] if draw.random() < 0.5 else list(middle)
    requests = [
        _quick(draw, request, user_id=user),
        *(_quick(draw, request, user_id=user, group=name, after=[f"{name}-first"]) for _ in middle),
        _quick(draw, request, user_id=user, after=last, after_mode=last_mode),
    ]
    yield at, "batch", {"markers": [f"{name}-first", *middle, f"{name}-last"], "requests": requests}


def _later(draw: Random, at: float, name: str, request: Callable[[Random], dict[str, Any]]) -> Iterator[Drawn]:
    """One that starts later, by an instant or a wait, and one that waits for it."""
    seconds = draw.randint(1, LONGEST_START)
    start = f"+{seconds}" if draw.random() < 0.6 else (EPOCH + timedelta(seconds=at + seconds)).isoformat()
    first = _quick(draw, request, user_id="ana", start_after=start, idempotency_key=name)
    yield at, "submit", {"marker": name, "request": first}
    second = _quick(draw, request, user_id="ana", after=[name], after_mode="ended")
    yield at + draw.choice([0.5, 30.0]), "submit", {"marker": f"{name}-next", "request": second}


def _fan(draw: Random, at: float, request: Callable[[Random], dict[str, Any]]) -> Iterator[Drawn]:
    """More wait for one than a batch of the cascade follows, and one waits for the last of them."""
    markers = [f"fan-{index}" for index in range(draw.choice([120, 260]))]
    parent = _quick(draw, request, user_id="hal")
    parent["spec"]["result"] = draw.choice(["failed", "failed", "completed"])
    plain = {"provider": "search", "spec": {"duration": 1.0}, "user_levels": ["admin"], "resources": [1, 0]}
    fan = [plain | {"user_id": "hal", "after": ["fan-parent"]} for _ in markers]
    last = plain | {"user_id": "hal", "after": [markers[-1]], "after_mode": "ended"}
    requests = [parent, *fan, last]
    yield at, "batch", {"markers": ["fan-parent", *markers, "fan-last"], "requests": requests}
