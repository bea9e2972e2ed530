"""What few worlds have, drawn by itself so that the others stay as they are: a clock far off, one user's flood."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

_DAY = 86_400.0
_LEAPS = (-365 * _DAY, -3 * 3600.0, -3 * 3600.0, 3 * 3600.0, 91 * _DAY)
FLOODING = "gus"
"""Nobody else's name: whose jobs fill the store."""


def leaps(draw: Random, seconds: float) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """In one world of three the wall clock is set to what it is not, a few times."""
    if draw.random() < 1 / 3:
        for _ in range(draw.choice([1, 2, 3])):
            yield round(draw.uniform(0, seconds), 3), "jump", {"seconds": draw.choice(_LEAPS)}


def flood(draw: Random, seconds: float) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """In one world of eight a user submits more than can run before the end."""
    if draw.random() < 1 / 8:
        number = draw.choice([40, 100])
        providers = draw.choice([["exact"], ["search"], ["exact", "hooked"]])
        requests = [_request(draw, providers) for _ in range(number)]
        markers = [f"flood-{index}" for index in range(number)]
        yield round(draw.uniform(0, seconds / 4), 3), "batch", {"markers": markers, "requests": requests}


def _request(draw: Random, providers: list[str]) -> dict[str, Any]:
    return {
        "provider": draw.choice(providers),
        "spec": {"duration": draw.choice([60.0, 300.0])},
        "user_id": FLOODING,
        "user_levels": ["admin"],
        "resources": [1, 0],
    }
