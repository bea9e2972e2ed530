"""What each rule is about, drawn often: a few jobs of every world meet one situation each, in a way that is drawn.

Faults that strike everything at random seldom strike where a rule looks. Here one job alone is refused for a while,
or is cancelled and does not obey, or loses its answer; its own script says so, so that the other jobs go on as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from actors.simulation.step import Step
from actors.simulation.wrong_calls import CALLS

ALL = ("exact", "search", "blind", "hooked")
_OTHERS = ("uma", "vic", "wim", "xia", "yan", "zoe")
_DAY = 86_400.0


def situations(draw: Random, seconds: float) -> Iterator[Step]:
    """Most of the situations, each once, somewhere in the first half; those that kill or leap in some worlds only."""
    for number, (make, share) in enumerate(_SITUATIONS):
        at = round(draw.uniform(0.0, 0.5) * seconds, 3)
        if draw.random() < share:
            yield from make(draw, at, f"{make.__name__.strip('_')}-{number}")


def backups(draw: Random, seconds: float) -> Iterator[Step]:
    """In one world of three a backup is made, from which the runtime is restored at the end.

    Some of what runs then is interrupted later and runs again, which the backup does not know.
    """
    if draw.random() >= 1 / 3:
        return
    at = round(draw.uniform(0.1, 0.95) * seconds, 3)
    yield Step(at, "backup")
    for index in range(2):
        rerun = {"times": 2, "on": ["interrupted"], "delay": 5.0}
        provider = "search" if index == 0 else draw.choice(ALL)
        asked = _request(draw, provider, 60.0, rerun=rerun, priority_override=50)
        asked["spec"]["interruptions"] = 1
        yield _submit(max(at - draw.choice([1.0, 5.0, 20.0]), 0.0), f"kept-{index}", asked)


def _request(draw: Random, provider: str, duration: float, faults: dict[str, Any] | None = None, **more: Any) -> Any:
    request: dict[str, Any] = {
        "provider": provider,
        "spec": {"duration": duration, "queue_time": draw.choice([0.0, 2.0])},
        "user_id": draw.choice(_OTHERS),
        "user_levels": ["admin"],
        "resources": [1, 0],
    }
    if faults:
        request["spec"]["faults"] = faults
    return request | more


def _submit(at: float, marker: str, request: dict[str, Any]) -> Step:
    return Step(at, "submit", {"marker": marker, "request": request | {"idempotency_key": marker}})


def _cancelled(draw: Random, at: float, name: str) -> Iterator[Step]:
    """A long job is asked to end, obeys late, and meanwhile the process may end."""
    disobeyed = draw.choice([0, 1, 2, 4])
    faults = {"cancel": [{"kind": "never_ends", "times": disobeyed}]} if disobeyed else {}
    yield _submit(at, name, _request(draw, draw.choice(ALL), 1500.0, faults, priority_override=50))
    asked = at + draw.uniform(20.0, 120.0)
    yield Step(asked, "cancel", {"marker": name})
    if draw.random() < 0.5:
        yield Step(asked + draw.choice([0.0, 0.5, 2.0]), "stop", {"downtime": 1.0, "in_hands": False})


def _paused(draw: Random, at: float, name: str) -> Iterator[Step]:
    """A provider, or the queue as a whole, is paused while there is something to start."""
    provider = draw.choice([*ALL, None])
    yield Step(at, "pause", {"provider": provider})
    for index in range(2):
        asked = _request(draw, provider or draw.choice(ALL), 5.0, priority_override=50)
        yield _submit(at + 1.0 + 10.0 * index, f"{name}-{index}", asked)
    yield Step(at + draw.uniform(60.0, 150.0), "resume", {"provider": provider})


def _approved(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Everybody may try to decide; who has not the level is refused."""
    for index in range(2):
        cost = draw.choice([10.0, 80.0])
        asked = _request(draw, draw.choice(ALL), 5.0, requires_approval="asked for", estimated_cost=cost)
        yield _submit(at + index, f"{name}-{index}", asked)
        for number, level in enumerate(("viewer", "researcher", "lead", "admin")):
            moment = at + index + 5.0 * (number + 1)
            kind = "approve" if index == 0 or draw.random() < 0.5 else "reject"
            yield Step(moment, kind, {"marker": f"{name}-{index}", "level": level})


def _expires(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Nobody decides until just before a deadline, one of them."""
    asked = _request(draw, "exact", 5.0, requires_approval="asked for")
    yield _submit(at, name, asked)
    for timeout in (180.0, 720.0):
        yield Step(at + timeout - 0.5, "approve", {"marker": name, "level": "viewer"})


def _shared_key(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Two users use the same key for different jobs, and each repeats the request; in between the clock may leap."""
    users = draw.sample(_OTHERS, 2)
    asked = [
        _request(draw, draw.choice(ALL), draw.choice([1.0, 20.0]), user_id=user, idempotency_key=name) for user in users
    ]
    for again in range(2):
        for index, request in enumerate(asked):
            args = {"marker": f"{name}-{index}", "request": request}
            yield Step(at + 40.0 * again + 2.0 * index, "submit", args)
    if draw.random() < 0.3:  # so far that a start notices it, too: a process may end in this moment
        yield Step(at + 20.0, "jump", {"seconds": draw.choice([8 * _DAY, 91 * _DAY])})


def _rate_limited(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Servers ask for patience, more than once, and the wall clock may be set meanwhile."""
    for index, provider in enumerate(draw.sample(ALL, 2)):
        refused = {
            "kind": "refused", "refusal": "rate_limited", "retry_after": draw.choice([0.0, 5.0, 30.0, 100.0, 200.0]),
            "times": draw.choice([1, 2]),
        }  # fmt: skip
        asked = _request(draw, provider, 5.0, {"submit": [refused]}, priority_override=50)
        yield _submit(at + index, f"{name}-{index}", asked)
    if draw.random() < 0.4:
        yield Step(at + 10.0, "jump", {"seconds": draw.choice([-3600.0, -120.0, 120.0, 3601.0])})


def _backs_off(draw: Random, at: float, name: str) -> Iterator[Step]:
    """An attempt fails once or twice, and the next one comes later."""
    for index in range(2):
        refused = {"kind": "refused", "refusal": "other", "times": draw.choice([1, 2, 3, 5])}
        asked = _request(draw, draw.choice(ALL), 5.0, {"submit": [refused]}, max_attempts=3, priority_override=50)
        yield _submit(at + index, f"{name}-{index}", asked)


def _unknown(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Many jobs of one organisation and one team, whose answers are lost and cannot be asked for at first."""
    faults = {
        "submit": [{"kind": "lost_answer", "accepted": draw.random() < 0.3}],
        "find": [{"kind": "refused", "refusal": "other", "times": draw.choice([2, 4])}],
    }
    provider = draw.choice(ALL)
    for index in range(10):
        whose = {"user_id": _OTHERS[index % len(_OTHERS)], "org_id": "club", "team_id": "blue"}
        asked = _request(draw, provider, draw.choice([5.0, 60.0]), faults, priority_override=50, **whose)
        yield _submit(at + 0.5 * index, f"{name}-{index}", asked)


def _left_in_hands(draw: Random, at: float, name: str) -> Iterator[Step]:
    """The process dies, or its scheduler is restarted, while a server is silent about a submission."""
    fault = {"kind": "hang", "accepted": draw.random() < 0.5}
    asked = _request(draw, draw.choice(ALL), 20.0, {"submit": [fault]}, priority_override=50)
    yield _submit(at, name, asked)
    if draw.random() < 0.5:
        yield Step(at + 8.0, "kill", {"where": "checkpoint", "count": 1, "downtime": draw.choice([1.0, 30.0])})
    else:
        yield Step(at + 8.0, "restart_actor", {"name": "scheduler"})


def _steps_back(draw: Random, at: float, name: str) -> Iterator[Step]:
    """A provider's answers are old ones for a while: what runs is reported as queued, what ended as running."""
    provider = draw.choice(ALL)
    for index in range(2):
        yield _submit(at + index, f"{name}-{index}", _request(draw, provider, draw.choice([40.0, 90.0])))
    yield Step(at + 5.0, "lag", {"provider": provider, "behind": draw.choice([20.0, 60.0]), "seconds": 240.0})


def _refused(draw: Random, at: float, name: str) -> Iterator[Step]:
    """A server refuses for good, or the account itself, until somebody has seen to that."""
    provider = draw.choice(ALL)
    for index, refusal in enumerate(("invalid", draw.choice(["auth", "forbidden"]))):
        asked = _request(
            draw, provider, 5.0, {"submit": [{"kind": "refused", "refusal": refusal}]}, priority_override=50
        )
        yield _submit(at + index, f"{name}-{index}", asked)
    yield Step(at + draw.uniform(30.0, 90.0), "resume", {"provider": provider})


def _ordered(draw: Random, at: float, name: str) -> Iterator[Step]:
    """More jobs of one user, alike but for their priority, than may run at once."""
    provider = draw.choice(["search", "hooked"])
    for index in range(7):
        rank: dict[str, Any] = {
            "user_levels": [draw.choice(["viewer", "lead", "admin"])],
            "priority_override": draw.choice([None, 0, 45]),
        }
        asked = _request(draw, provider, draw.choice([10.0, 30.0]), user_id="ora", **rank)
        yield _submit(at + draw.choice([0.0, 0.1, 5.0]), f"{name}-{index}", asked)


def _wrong_calls(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Calls about what does not exist, and somebody settles a job of which nobody doubts that it runs."""
    for what in draw.sample(sorted(CALLS), 4):
        yield Step(at + draw.uniform(0.0, 60.0), "wrong_call", {"what": what})
    yield _submit(at, name, _request(draw, draw.choice(ALL), 40.0, priority_override=50))
    yield Step(at + draw.choice([5.0, 20.0, 100.0]), "settle", {"marker": name})


def _gone(draw: Random, at: float, name: str) -> Iterator[Step]:
    """A target of notifications is gone for good when a job has something to tell it."""
    yield Step(at, "target", {"name": "all", "fault": "gone", "seconds": 600.0})
    yield _submit(at, name, _request(draw, draw.choice(ALL), 5.0, notify=("all",), priority_override=50))


def _looks(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Somebody looks at everything, and somebody follows all that happens."""
    yield Step(at, "look")
    yield Step(at, "follow", {"pause": draw.choice([0.0, 1.0]), "seconds": draw.uniform(60.0, 400.0)})


def _runs_again(draw: Random, at: float, name: str) -> Iterator[Step]:
    """Attempts are interrupted, and one job is asked to end, does not obey, and then fails."""
    for index in range(2):
        rerun = {"times": draw.choice([1, 2]), "on": ["interrupted", "failed"], "delay": draw.choice([5.0, 20.0])}
        asked = _request(draw, draw.choice(ALL), 20.0, rerun=rerun, priority_override=50)
        if index == 0:
            asked["spec"]["interruptions"] = draw.choice([1, 2, 3])
        else:
            asked["spec"] |= {
                "duration": 60.0,
                "result": "failed",
                "faults": {"cancel": [{"kind": "never_ends", "times": 9}]},
            }
        yield _submit(at + index, f"{name}-{index}", asked)
    yield Step(at + draw.uniform(10.0, 50.0), "cancel", {"marker": f"{name}-1"})


def _has_devices(draw: Random, at: float, name: str) -> Iterator[Step]:
    """A job has a GPU, is interrupted, and runs again, on another one perhaps."""
    rerun = {"times": 1, "on": ["interrupted"], "delay": draw.choice([5.0, 20.0])}
    asked = _request(draw, "exact", 20.0, rerun=rerun, resources=[1, draw.choice([1, 1, 2])], priority_override=50)
    asked["spec"]["interruptions"] = 1
    yield _submit(at, name, asked)


_SITUATIONS: tuple[tuple[Callable[[Random, float, str], Iterator[Step]], float], ...] = (
    (_cancelled, 0.9),
    (_paused, 0.9),
    (_approved, 0.9),
    (_expires, 0.5),
    (_shared_key, 0.9),
    (_rate_limited, 0.9),
    (_backs_off, 0.7),
    (_unknown, 0.5),
    (_refused, 0.6),
    (_runs_again, 0.7),
    (_looks, 0.5),
    (_ordered, 0.6),
    (_left_in_hands, 0.5),
    (_steps_back, 0.6),
    (_has_devices, 0.3),
    (_wrong_calls, 0.5),
    (_gone, 0.3),
)
"""Each with the share of worlds that have it."""
