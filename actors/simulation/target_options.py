"""Which targets of notifications a world is configured with."""

from __future__ import annotations

from typing import get_args

from actors.jobs.notify_options import NotificationTarget, NotifyOptions, On
from actors.simulation.pinned import source

_ALL: tuple[On, ...] = get_args(On)
TARGETS = {
    "chat": NotificationTarget(url="https://chat.example/"),
    "all": NotificationTarget(url="https://all.example/", on=_ALL),
    "page": NotificationTarget(command=("page",), on=("failed", "uncertain")),
}
"""One with the usual types, one with all, one for what is bad."""


def drawn_options(seed: int) -> NotifyOptions:
    """What one world's configuration says."""
    draw = source(seed, "notify options")
    defaults = {"bo": ("chat",)} if draw.random() < 0.5 else {}
    return NotifyOptions(TARGETS, defaults, per_minute=draw.choice([2, 5, 30]))
