"""A random tree under random faults and random management, from one seed: `python random_tree.py SEED [SECONDS]`.

Prints the record of its reports. Two processes with different hash seeds have to print the same bytes.
"""

import contextlib
import random
import sys

import trio
import trio.testing

from supervision import Backoff, ChildSpec, FaultPlan, SupervisionError, Supervisor
from supervision.testing import Act, Scripted, deterministic_scheduling, lines, recorded

SCRIPTS = []  # of everything made since the caller emptied it
LIMITS = {}  # supervisor's name: its max_restarts
PARKS = set()  # ids of children that are parked rather than escalated


def an_act(source):
    return Act(
        start=source.choice([0, 0, 0.5]),
        instead=source.choice([None] * 9 + ["raise", "return"]),
        lives=source.choice([0.5, 1, 3, 8, 1e9]),
        ends=source.choice(["return", "crash", "crash"]),
        beats=source.choice([None, 1, 1]),
        when_cancelled=source.choice(["obey", "obey", "crash", "swallow"]),
        cleanup=source.choice([0, 0, 0.5, 7]),
    )


def a_spec(source, name, depth):
    restart = source.choice(["permanent", "permanent", "transient", "temporary"])
    if depth > 0 and source.random() < 0.4:
        return ChildSpec(name, a_supervisor(source, name, depth - 1).run, restart=restart)
    acts = [Act(lives=source.uniform(1, 9))] + [an_act(source) for _ in range(3)]
    script = Scripted(*acts, name=name)
    SCRIPTS.append(script)
    on_give_up = "park" if name.startswith("guest") else source.choice(["escalate", "park"])
    if on_give_up == "park":
        PARKS.add(name)
    return ChildSpec(
        name,
        script,
        restart=restart,
        shutdown=source.choice([None, 0, 1]),
        start_deadline=source.choice([None, 0.25, 3]),
        heartbeat=source.choice([None, 2]),
        on_give_up=on_give_up,
    )


def a_supervisor(source, name, depth=2):
    LIMITS[name] = source.randint(0, 50)
    return Supervisor(
        [a_spec(source, f"{name}.{number}", depth) for number in range(source.randint(1, 4))],
        name=name,
        strategy=source.choice(["one_for_one", "one_for_all", "rest_for_one"]),
        max_restarts=LIMITS[name],
        backoff=source.choice([Backoff.none(), Backoff(0.1, 5, seed=source.randrange(99))]),
    )


async def manage(source, supervisor):
    while True:
        await trio.sleep(0.1 + source.random() * 2)
        names = [child.id for child in supervisor.children()] or ["nobody"]
        name = source.choice(names)
        with contextlib.suppress(SupervisionError), trio.move_on_after(source.choice([1, 20])):
            match source.randrange(4):
                case 0:
                    await supervisor.start_child(a_spec(source, f"guest.{source.randrange(5)}", 0))
                case 1:
                    await supervisor.stop_child(name)
                case 2:
                    await supervisor.restart_child(name)
                case 3:
                    await supervisor.delete_child(name)


async def main(supervisor, source, seconds):
    """What it raised, or None where it was cancelled after `seconds`, or shut itself down."""
    try:
        with trio.move_on_after(seconds):
            async with open_nursery_and(manage, source, supervisor):
                await supervisor.run()
    except SupervisionError as error:
        return error
    return None


@contextlib.asynccontextmanager
async def open_nursery_and(background, *args):
    """Run `background` beside the block; let the block's own exception through bare."""
    failure = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(background, *args)
        try:
            yield
        except SupervisionError as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def play(source, seed, seconds):
    """Run one random tree; its supervisor, its reports, and what it raised."""
    SCRIPTS.clear()
    LIMITS.clear()
    PARKS.clear()
    supervisor = a_supervisor(source, "top")
    plan = FaultPlan(seed, strict=False).at("start.before:*", probability=0.03).at("start.after:*", probability=0.02)
    plan.at("start.before:*", probability=0.03, do="delay", delay=1)
    with deterministic_scheduling(seed), plan, recorded(supervisor) as reports:
        clock = trio.testing.MockClock(autojump_threshold=0)
        raised = trio.run(main, supervisor, source, seconds, clock=clock)
    return supervisor, reports, raised


def record(seed, seconds=60.0):
    return lines(play(random.Random(seed), seed, seconds)[1])


if __name__ == "__main__":
    import logging

    logging.disable()
    print(*record(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 60.0), sep="\n")
