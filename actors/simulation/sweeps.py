"""Users who submit job files: a matrix under keys of its content, again and again, each time with some more values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from actors.jobs.file_rules import FileRules
from actors.jobs.matrix import matrix_of
from actors.jobs.refusal import Refused
from actors.jobs.sweeps import Sweep
from actors.jobs.views import Accepted
from actors.runtime import RunningRuntime
from actors.simulation.rules import Rule
from actors.simulation.world import World
from actors.testing import request as scripted_request

_MOST = 12
"""Values of a file when it is submitted for the last time."""


def files(draw: Random, seconds: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """In one world of three some files, each submitted a few times; every submission may hold a fault."""
    if draw.random() >= 1 / 3:
        return
    for number in range(draw.choice([1, 2, 4])):
        values = [f"{value / 10}" for value in draw.sample(range(100), _MOST)]
        provider, duration = draw.choice(["exact", "search"]), draw.choice([1.0, 30.0, 120.0])
        for _ in range(draw.choice([1, 2, 3])):
            yield (
                round(draw.uniform(0, seconds * 0.7), 3),
                {
                    "file": f"file-{number}",
                    "provider": provider,
                    "duration": duration,
                    "values": draw.sample(values, draw.randint(1, _MOST)),
                    "wrong": draw.random() < 0.2,
                },
            )


def names(args: Mapping[str, Any]) -> list[str]:
    """The names of the jobs that a submission of the file makes."""
    return [f"{args['file']}-{value}" for value in args["values"]]


async def submit(world: World, runtime: RunningRuntime, args: dict[str, Any]) -> list[Accepted]:
    """Submit the file: each combination is one job, made now or before, or none is made where something is wrong."""
    name, values = args["file"], args["values"]
    fields = {"duration": args["duration"], "user_id": "hal", "config_name": f"{name}-{{p}}", "group": name}
    if args["wrong"]:
        fields["error"] = "{q}"
    sweep = Sweep(
        scripted_request(args["provider"], env_from=(), **fields),
        matrix_of({"p": values}),
        tuple(f"{name}={value}" for value in values),
    )
    try:
        accepted = await runtime.jobs.submit_many([sweep], FileRules())
    except Refused as refusal:
        excused = args["wrong"] or "may wait" in str(refusal)
        world.note(world.require, excused, Rule.WHOLE_SWEEP, f"{name} was refused: {refusal}")
        raise
    world.note(world.require, not args["wrong"], Rule.REFUSED, f"{name} has {{q}} and was accepted")
    made = [(one.job.request.config_name, one.job.request.parameters) for one in accepted]
    expected = [(f"{name}-{value}", {"p": value}) for value in values]
    world.note(world.require, made == expected, Rule.EACH_COMBINATION, f"{name}: {made} for {values}")
    world.trace.count("sweep submitted")
    return accepted
