"""What is done to a world: steps in the order of their times, all of them drawn from the seed before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import attrs

from actors.simulation.drawing import disturbances
from actors.simulation.pinned import source
from actors.simulation.reruns import interruptions, with_reruns
from actors.simulation.situations import backups, situations
from actors.simulation.step import Step as Step
from actors.simulation.sweeps import files
from actors.simulation.waiting_jobs import waits
from actors.simulation.wide import wide

JOBS_AN_HOUR = 60
USERS = ("ana", "bo", "cem", "dia", "eve", "fay")
LEVELS = ("viewer", "researcher", "lead", "admin")
_DAY = 86_400.0
_LEAPS = (-365 * _DAY, -3 * 3600.0, -3 * 3600.0, 3 * 3600.0, 91 * _DAY)
_LIMITS = {"total": (2, 8), "per_user": (1, 4), "per_organisation": (1, 6), "per_provider.exact": (1, 4)}


def drawn_script(seed: int, hours: float) -> list[Step]:
    """The whole script of a seed."""
    seconds = hours * 3600
    drawn = [*workload(source(seed, "workload"), seconds), *faults(source(seed, "faults"), seconds)]
    drawn += [*leaps(source(seed, "leaps"), seconds), *flood(source(seed, "flood"), seconds)]
    drawn += [Step(at, "sweep", args) for at, args in files(source(seed, "files"), seconds)]
    drawn += [Step(*one) for one in waits(source(seed, "waits"), seconds, _request)]
    drawn = [*with_reruns(source(seed, "reruns"), drawn), *interruptions(source(seed, "interruptions"), seconds)]
    drawn += wide(source(seed, "wide"), seconds)
    drawn = [*notifying(source(seed, "notifying"), drawn), *targets(source(seed, "targets"), seconds)]
    drawn += situations(source(seed, "situations"), seconds)
    drawn += backups(source(seed, "backups"), seconds)
    steps = sorted((step for step in drawn if step.at <= seconds), key=lambda step: step.at)
    return [attrs.evolve(step, number=number) for number, step in enumerate(steps)]


def faults(draw: Random, seconds: float) -> Iterator[Step]:
    """Disturbances; one world in six has none."""
    intensity = draw.choice([0.0, 4.0, 8.0, 16.0, 24.0, 80.0])  # an hour
    for at in _moments(draw, intensity / 3600, seconds):
        for later, kind, args in disturbances(draw):
            yield Step(at + later, kind, args)


def _moments(draw: Random, rate: float, seconds: float) -> Iterator[float]:
    at = 0.0
    while rate:
        at += draw.expovariate(rate)
        if at >= seconds:
            return
        yield round(at, 3)


def workload(draw: Random, seconds: float) -> Iterator[Step]:
    """What users do: submit jobs in bursts, then cancel, approve, retry or prioritise them."""
    serial = 0
    for at in _moments(draw, JOBS_AN_HOUR / 2.5 / 3600, seconds):
        size = min(draw.choice([1, 1, 1, 2, 3, 4]) * draw.choice([1, 1, 1, 2]), 8)
        if size > 2 and draw.random() < 0.3:
            fields = [_request(draw) for _ in range(size)]
            if draw.random() < 0.3:
                fields[draw.randrange(size)]["provider"] = "nowhere"
            markers = [f"job-{serial + index}" for index in range(size)]
            yield Step(at, "batch", {"markers": markers, "requests": fields})
            serial += size
            continue
        for _ in range(size):
            moment = at + draw.choice([0.0, 0.0, draw.uniform(0, 5)])
            yield from _one_job(draw, moment, f"job-{serial}")
            serial += 1
    yield from _management(draw, seconds)


def _one_job(draw: Random, at: float, marker: str) -> Iterator[Step]:
    request = _request(draw)
    kind = "submit"
    if draw.random() < 0.06:
        kind, request = "refused", request | _wrong(draw)
    elif draw.random() < 0.05:
        kind, request = "twice", request | {"idempotency_key": marker}
    elif draw.random() < 0.5:
        request["idempotency_key"] = marker
    yield Step(at, kind, {"marker": marker, "request": request})
    if kind == "refused":
        return
    if "requires_approval" in request or draw.random() < 0.1:
        yield from _decisions(draw, at, marker)
    duration = request["spec"]["duration"] + request["spec"]["queue_time"]
    if draw.random() < 0.25:
        # A cancel that races the end, or one at any time.
        delay = (
            duration + draw.choice([-0.5, 0.0, 0.001, 0.5, 2.0]) if draw.random() < 0.5 else draw.expovariate(1 / 60)
        )
        yield Step(at + max(delay, 0.0), "cancel", {"marker": marker})
    if draw.random() < 0.08:
        yield Step(at + draw.uniform(0, 20), "prioritise", {"marker": marker, "override": draw.choice([None, 0, 50])})
    if draw.random() < 0.05:
        yield Step(at + duration + draw.uniform(1, 300), "retry", {"marker": marker})


def _request(draw: Random) -> dict[str, Any]:
    provider = draw.choices(["exact", "search", "blind", "hooked"], [5, 3, 1, 4])[0]
    duration = draw.choice([0.0, 0.5, round(draw.expovariate(1 / 60), 3), round(draw.expovariate(1 / 400), 3)])
    spec: dict[str, Any] = {
        "duration": min(duration, 1800.0),
        "queue_time": draw.choice([0.0, 0.0, 3.0]),
        "cancel_time": draw.choice([0.0, 1.0, 20.0]),
        "result": draw.choices(["completed", "failed", "cancelled"], [8, 2, 1])[0],
        "progress": draw.choice([0, 0, 0, 4]),
    }
    user = draw.choice(USERS)
    request: dict[str, Any] = {
        "provider": provider,
        "spec": spec,
        "user_id": user,
        "org_id": draw.choice([None, "lab", "shop"]),
        "team_id": draw.choice([None, "red"]),
        "user_levels": [draw.choice(LEVELS)],
        "resources": [draw.choice([1, 1, 2]), draw.choice([0, 0, 1]) if provider == "exact" else 0],
        "max_attempts": draw.choice([1, 3, 3]),
    }
    if draw.random() < 0.15:
        request["requires_approval"] = "asked for"
    if draw.random() < 0.2:
        request["estimated_cost"] = draw.choice([10.0, 80.0])
    if draw.random() < 0.1:
        request["max_runtime"] = draw.choice([5.0, 60.0])
    return request


def _wrong(draw: Random) -> dict[str, Any]:
    return draw.choice(
        [
            {"provider": "nowhere"},
            {"max_attempts": 0},
            {"user_id": ""},
            {"spec": {"duration": "long"}},
            {"provider": "exact", "resources": [99, 0]},
            {"priority_override": 51},
        ]
    )


def _decisions(draw: Random, at: float, marker: str) -> Iterator[Step]:
    """One decision or two at once, early, at a deadline to the moment, or never."""
    delays = [round(draw.expovariate(1 / 60), 3), 180.0, 179.999, 720.0, 3600.0, None]
    delay = draw.choices(delays, [6, 1, 1, 1, 1, 2])[0]
    if delay is None:
        return
    for _ in range(draw.choice([1, 1, 2])):
        kind = draw.choices(["approve", "reject"], [4, 1])[0]
        yield Step(
            at + delay, kind, {"marker": marker, "level": draw.choices(["admin", "lead", "viewer"], [6, 3, 1])[0]}
        )


def _management(draw: Random, seconds: float) -> Iterator[Step]:
    for at in _moments(draw, 4 / 3600, seconds):
        match draw.randrange(6):
            case 0 | 1:
                name = draw.choice(sorted(_LIMITS))
                yield Step(at, "limit", {"name": name, "value": draw.randint(*_LIMITS[name])})
            case 2:
                yield Step(at, "reset_limits")
            case 3:
                provider = draw.choice(["exact", "search", "hooked"])
                yield Step(at, "pause", {"provider": provider})
                yield Step(at + draw.uniform(1, 600), "resume", {"provider": provider})
            case 4:
                yield Step(at, "follow", {"pause": draw.choice([0.0, 1.0, 30.0]), "seconds": draw.uniform(10, 900)})
            case 5:
                yield Step(at, "look")


# What few worlds have; each drawn from a source of its own, so that the other steps of a seed do not depend on it.


def leaps(draw: Random, seconds: float) -> Iterator[Step]:
    """In one world of three the wall clock is set to a wrong time, a few times."""
    if draw.random() < 1 / 3:
        for _ in range(draw.choice([1, 2, 3])):
            yield Step(round(draw.uniform(0, seconds), 3), "jump", {"seconds": draw.choice(_LEAPS)})


def notifying(draw: Random, steps: list[Step]) -> list[Step]:
    """Half of the jobs name targets of notifications, and some of them belong to a group."""
    return [step.with_requests(lambda request: request | _notify(draw)) for step in steps]


def _notify(draw: Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {}
    names = draw.choice([("chat",), ("all",), ("all", "page"), ("chat", "all")])
    group = draw.choice([None, None, None, "night", "sweep"])
    return {"notify": names} | ({} if group is None else {"group": group})


def targets(draw: Random, seconds: float) -> Iterator[Step]:
    """In two worlds of three, targets fail, and what delivers to them crashes and is restarted."""
    if draw.random() < 1 / 3:
        return
    for at in _moments(draw, 8 / 3600, seconds):
        name = draw.choice(["chat", "all", "page"])
        if draw.random() < 0.6:
            fault = draw.choice(["down", "down", "slow", "no_answer", "no_answer", "refuses", "gone"])
            length = draw.choice([5.0, 60.0, 600.0])
            yield Step(at, "target", {"name": name, "fault": fault, "seconds": length})
            continue
        point = draw.choice([f"notify.before:{name}", f"notify.after:{name}", "receive.before:notifier"])
        yield Step(at, "point", {"point": point, "do": draw.choice(["crash", "crash", "delay"]), "delay": 10.0})
        if draw.random() < 0.3:
            yield Step(at + draw.uniform(1, 60), "restart_actor", {"name": "notifier"})


def flood(draw: Random, seconds: float) -> Iterator[Step]:
    """In one world of eight one user, who submits nothing else, submits more than can run before the end."""
    if draw.random() < 1 / 8:
        number = draw.choice([40, 100])
        providers = draw.choice([["exact"], ["search"], ["exact", "hooked"]])
        requests = [
            {
                "provider": draw.choice(providers),
                "spec": {"duration": draw.choice([60.0, 300.0])},
                "user_id": "gus",
                "user_levels": ["admin"],
                "resources": [1, 0],
            }
            for _ in range(number)
        ]
        markers = [f"flood-{index}" for index in range(number)]
        yield Step(round(draw.uniform(0, seconds / 4), 3), "batch", {"markers": markers, "requests": requests})
