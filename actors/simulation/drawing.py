"""What goes wrong: one disturbance after another, each a step or a few that belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Drawn = Iterator[tuple[float, str, dict[str, Any]]]

_ACTORS = ("scheduler", "poller", "expiry", "pruner")
_PROVIDERS = ("exact", "search", "blind", "hooked")
_DOWNTIMES = (0.0, 1.0, 30.0, 600.0)


def disturbances(draw: Random) -> Drawn:
    """One disturbance: seconds from its moment, kind and arguments of each of its steps."""
    chosen = draw.choices([make for make, _ in _KINDS], [weight for _, weight in _KINDS])[0]
    yield from chosen(draw)


def _provider_fault(draw: Random) -> Drawn:
    kind = draw.choice(
        [
            "slow", "refused", "refused", "down", "down", "lost_answer", "lost_answer", "lost_answer", "hang", "hang",
            "garbage", "crash", "unknown_status", "unseen", "never_ends",
        ]
    )  # fmt: skip
    calls = {
        "unknown_status": ["observe"],
        "unseen": ["observe"],
        "never_ends": [draw.choice(["submit", "cancel"])],
    }.get(kind) or draw.choice([["submit"], ["submit"], ["submit"], ["find"], ["observe"], ["cancel"], []])
    window = draw.choice([20.0, 120.0, 900.0])
    fault: dict[str, Any] = {"kind": kind, "calls": calls, "times": draw.choice([1, 2, 3, 10])}
    if kind in ("down", "slow") and draw.random() < 0.5:
        fault["times"] = None
    if kind in ("slow", "lost_answer"):
        fault["seconds"] = draw.choice([0.0, 1.0, 15.0, 70.0])
    if kind in ("lost_answer", "hang", "garbage", "crash"):
        fault["accepted"] = draw.random() < 0.6
    if kind == "refused":
        fault["refusal"] = draw.choice(
            ["invalid", "auth", "forbidden", "conflict", "rate_limited", "rate_limited", "other"]
        )
        fault["retry_after"] = draw.choice([None, 0.0, 30.0, 200.0])
    provider = draw.choice(_PROVIDERS)
    yield 0.0, "provider", {"provider": provider, "seconds": window, "fault": fault}
    if fault.get("refusal") in ("auth", "forbidden"):
        yield draw.uniform(1, 600), "resume", {"provider": provider}


def _delayed_submissions(draw: Random) -> Drawn:
    provider = draw.choice(("exact", "search", "hooked"))
    args = {"provider": provider, "times": draw.choice([1, 2, 4]), "seconds": draw.choice([5.0, 70.0, 600.0])}
    yield 0.0, "delay", args


def _deliveries(draw: Random) -> Drawn:
    fates = draw.choice([[1, 9, 0, 0], [1, 0, 9, 0], [1, 0, 0, 9], [2, 3, 3, 3]])
    yield 0.0, "deliveries", {"fates": fates, "seconds": draw.choice([60.0, 600.0])}


def _crash(draw: Random) -> Drawn:
    point = draw.choice(
        [
            f"receive.before:{draw.choice(_ACTORS)}", f"receive.after:{draw.choice(_ACTORS)}", "commit.before:store",
            "commit.after:store", "commit.after:store", f"start.before:{draw.choice(_ACTORS)}",
            f"provider.before:{draw.choice(_PROVIDERS)}.submit", f"provider.after:{draw.choice(_PROVIDERS)}.submit",
            f"provider.after:{draw.choice(_PROVIDERS)}.*",
        ]
    )  # fmt: skip
    actors_own = point.startswith("receive")
    do = draw.choice(["crash", "crash", "delay"] + (["cancel"] if actors_own else []))
    for _ in range(draw.choice([1, 1, 1, 3])):
        yield 0.0, "point", {"point": point, "do": do, "delay": draw.choice([0.5, 10.0, 100.0])}


def _hang(draw: Random) -> Drawn:
    actor = draw.choice(_ACTORS)
    yield 0.0, "point", {"point": f"receive.before:{actor}", "do": "hang", "delay": 0.0}
    yield draw.uniform(20, 200), "restart_actor", {"name": actor}


def _overflow(draw: Random) -> Drawn:
    yield 0.0, "overflow", {"name": draw.choice(_ACTORS), "messages": draw.choice([70, 500])}


def _disk(draw: Random) -> Drawn:
    beginning = draw.choice(["BEGIN", "COMMIT", "COMMIT", "INSERT", "UPDATE", "SELECT"])
    error = "busy" if beginning == "BEGIN" else draw.choice(["full", "failed"])
    yield 0.0, "disk", {"beginning": beginning, "error": error, "times": draw.choice([1, 1, 2, 4, 12])}


def _kill(draw: Random) -> Drawn:
    where = draw.choice(["statement", "statement", "commit", "after_commit", "checkpoint", "checkpoint"])
    most = {"statement": 120, "commit": 6, "after_commit": 6, "checkpoint": 600}[where]
    kill: dict[str, Any] = {"where": where, "count": draw.randint(1, most), "downtime": draw.choice(_DOWNTIMES)}
    if draw.random() < 0.3:
        kill["again"] = draw.randint(1, 60)  # and the next process at so manieth a statement of its start
    yield 0.0, "kill", kill


def _stop(draw: Random) -> Drawn:
    if draw.random() < 0.5:  # in the middle of a hand-over that never answers
        provider = draw.choice(_PROVIDERS)
        fault = {"kind": "hang", "calls": ["submit"], "times": 2, "accepted": draw.random() < 0.5}
        yield 0.0, "provider", {"provider": provider, "seconds": 300.0, "fault": fault}
        request = {"provider": provider, "spec": {"duration": 5.0}, "user_id": "gil", "user_levels": ["admin"]}
        yield 0.0, "submit", {"marker": f"stop-{draw.getrandbits(32)}", "request": request | {"resources": [1, 0]}}
        yield 0.1, "stop", {"downtime": draw.choice(_DOWNTIMES), "in_hands": True}
    else:
        yield 0.0, "stop", {"downtime": draw.choice(_DOWNTIMES), "in_hands": False}


def _jump(draw: Random) -> Drawn:
    # A leap is more than an hour: whether a jump of just one is a leap depends on a microsecond.
    yield 0.0, "jump", {"seconds": draw.choice([-3600.0, -60.0, -1.0, 1.0, 60.0, 3601.0, 7200.0])}


_KINDS: list[tuple[Callable[[Random], Drawn], int]] = [
    (_provider_fault, 10),
    (_delayed_submissions, 2),
    (_deliveries, 3),
    (_crash, 5),
    (_hang, 1),
    (_overflow, 1),
    (_disk, 3),
    (_kill, 7),
    (_stop, 3),
    (_jump, 2),
]
