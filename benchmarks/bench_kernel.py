"""What actors cost, compared with a raw trio memory channel, asyncio.Queue, Pykka and Erlang in the same run.

    python benchmarks/bench_kernel.py             # the table
    python benchmarks/bench_kernel.py --json      # one object
    python benchmarks/bench_kernel.py --quick     # a tenth of the rounds

Every number is the best of several rounds, ours and the peers' in turn, so that other load affects all alike. Limits:

    cast    in bursts of 100, envelope and correlation ID bound    <= 4.0 x raw channel, send_nowait and drained
    call    round trip under the default deadline                  <= 2.2 x a one-slot future
    idle    a supervised actor, in time and in bytes               <= 1.3 and 2.0 x nursery.start + scope + channel
    tree    1,000 children started and stopped in order            linear in their number
"""

from __future__ import annotations

import argparse
import gc
import logging
import tracemalloc
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import attrs
import trio
from common import Figure, at_most, report
from kernel_peers import asyncio_queue, erlang, pykka_actor

from actors.kernel import Actor, ActorRef, Mailbox, actor_spec
from logconf import get_correlation_id
from supervision import ChildSpec, open_supervisor

BURST = 100
LIMITS = {"cast": 4.0, "call": 2.2, "actor_us": 1.3, "actor_bytes": 2.0}

Round = Callable[[], Awaitable[float]]


async def best(rounds: int, **contenders: Round) -> dict[str, float]:
    """The best of ``rounds`` for each, taken in turn."""
    results: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            gc.collect()
            results[name].append(await contender())
    return {name: min(values) for name, values in results.items()}


# -- Messages


class Echo(Actor):
    """Replies with the message."""

    async def handle(self, message: Any) -> Any:
        """The message."""
        return message


class Taker(Actor):
    """Takes messages, and replies nothing."""

    async def handle(self, message: Any) -> None:
        """Nothing."""


class OneSlotFuture:
    """A minimal reply: one value, one waiting task."""

    __slots__ = ("task", "value")

    async def wait(self) -> Any:
        """The value, once it is set."""
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED)
        return self.value

    def set(self, value: Any) -> None:
        """Deliver the value."""
        self.value = value
        trio.lowlevel.reschedule(self.task)


class Ends:
    """Two actors, and what they are compared with: channels, and tasks that answer what comes by one."""

    def __init__(self) -> None:
        self.echo, self.taker = (ActorRef(name, Mailbox(2 * BURST)) for name in ("echo", "taker"))
        self.send, self.receive = trio.open_memory_channel[Any](2 * BURST)
        self.ask, self.asked = trio.open_memory_channel[Any](1)
        self.question, self.questions = trio.open_memory_channel[Any](1)
        self.reply, self.replies = trio.open_memory_channel[Any](1)

    async def answer_futures(self) -> None:
        """Set each future to what came with it."""
        async for message, future in self.asked:
            future.set(message)

    async def answer_questions(self) -> None:
        """Send each question back."""
        async for message in self.questions:
            await self.reply.send(message)

    async def raw_burst(self, _number: int) -> None:
        """A burst through a raw memory channel."""
        for number in range(BURST):
            self.send.send_nowait(number)
        await trio.lowlevel.checkpoint()
        for _ in range(BURST):
            self.receive.receive_nowait()

    async def cast_burst(self, _number: int) -> None:
        """A burst of casts, until the actor has taken them all."""
        for number in range(BURST):
            self.taker.cast(number)
        await trio.lowlevel.checkpoint()
        while len(self.taker.mailbox):  # asking costs as much as a message does
            await trio.lowlevel.checkpoint()

    async def future_call(self, number: int) -> None:
        """A question with a future in which the answer is put."""
        future = OneSlotFuture()
        self.ask.send_nowait((number, future))
        await future.wait()

    async def actor_call(self, number: int) -> None:
        """A call."""
        await self.echo.call(number)

    async def channel_call(self, number: int) -> None:
        """A question by one channel, the answer by another."""
        await self.question.send(number)
        await self.replies.receive()

    async def channel_send(self, number: int) -> None:
        """One message through a channel, in one task."""
        await self.send.send(number)
        await self.receive.receive()


def repeated(step: Callable[[int], Awaitable[None]], times: int, messages: int = 1) -> Round:
    """Microseconds for each message, where each of so many steps has ``messages``."""

    async def run() -> float:
        start = perf_counter()
        for number in range(times):
            await step(number)
        return (perf_counter() - start) / times / messages * 1e6

    return run


async def messages(scale: int) -> dict[str, float]:
    """Microseconds for each kind of message."""
    get_correlation_id()
    ends = Ends()
    specs = [actor_spec(ends.echo, Echo), actor_spec(ends.taker, Taker)]
    async with trio.open_nursery() as nursery, open_supervisor(specs):
        nursery.start_soon(ends.answer_futures)
        nursery.start_soon(ends.answer_questions)
        results = await best(
            40,
            raw=repeated(ends.raw_burst, scale, BURST),
            cast=repeated(ends.cast_burst, scale, BURST),
            future=repeated(ends.future_call, scale * 10),
            call=repeated(ends.actor_call, scale * 10),
            channel_call=repeated(ends.channel_call, scale * 10),
            channel_send=repeated(ends.channel_send, scale * 10),
        )
        nursery.cancel_scope.cancel()
    return results


# -- Idle actors


async def idle_task(*, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
    """A minimal idle actor: a scope, and a task that waits at a memory channel."""
    with trio.CancelScope() as scope:
        _send, receive = trio.open_memory_channel[Any](64)
        task_status.started(scope)
        await receive.receive()


async def idle_tasks(count: int) -> tuple[float, float]:
    """Microseconds and bytes for each of ``count``."""
    async with trio.open_nursery() as nursery:

        async def start_all() -> None:
            for _ in range(count):
                await nursery.start(idle_task)

        measured = await _measure(start_all, count)
        nursery.cancel_scope.cancel()
    return measured


async def idle_actors(count: int) -> tuple[float, float]:
    """The same for supervised actors with references."""
    refs: list[ActorRef] = []
    async with open_supervisor(stop="together") as supervisor:

        async def start_all() -> None:
            for number in range(count):
                ref = ActorRef(str(number))
                refs.append(ref)
                await supervisor.start_child(actor_spec(ref, Echo, shutdown=600.0))

        return await _measure(start_all, count)


async def _measure(start_all: Callable[[], Awaitable[None]], count: int) -> tuple[float, float]:
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    start = perf_counter()
    await start_all()
    seconds = perf_counter() - start
    gc.collect()
    return seconds / count * 1e6, (tracemalloc.get_traced_memory()[0] - before) / count


async def idle(count: int) -> dict[str, float]:
    """Time and bytes, measured separately, because counting bytes takes time."""
    times = [(await idle_tasks(count // 10), await idle_actors(count // 10)) for _ in range(15)]
    tracemalloc.start()
    (_, task_bytes), (_, actor_bytes) = await idle_tasks(count), await idle_actors(count)
    tracemalloc.stop()
    return {
        "task_us": min(task[0] for task, _ in times),
        "actor_us": min(actor[0] for _, actor in times),
        "task_bytes": task_bytes,
        "actor_bytes": actor_bytes,
    }


# -- A tree


async def tree(count: int) -> float:
    """Microseconds for each child of an ordered start and stop."""

    async def child(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep_forever()

    start = perf_counter()
    async with open_supervisor([ChildSpec(str(number), child) for number in range(count)], strategy="rest_for_one"):
        pass
    return (perf_counter() - start) / count * 1e6


# -- The report


COMPARED = {
    "cast": ("raw", "a raw memory channel"),
    "call": ("future", "a one-slot future"),
    "actor_us": ("task_us", "nursery.start, a scope and a channel"),
    "actor_bytes": ("task_bytes", "nursery.start, a scope and a channel"),
    "tree_1000_us": ("tree_100_us", "a tree of 100"),
}
"""What each of our results is compared with."""


def figures(results: dict[str, float]) -> list[Figure]:
    """A line for each result; ours with their limits."""
    found = []
    for name, value in results.items():
        line = Figure(name, value, "bytes" if name.endswith("bytes") else "us")
        if name in COMPARED:
            other, words = COMPARED[name]
            line = attrs.evolve(line, beside=words, ratio=value / results[other])
            line = at_most(line, LIMITS[name]) if name in LIMITS else line
        found.append(line)
    return found


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description="What actors cost, compared with their peers.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    logging.disable()
    scale, count = (20, 1000) if options.quick else (100, 10_000)
    results = trio.run(messages, scale)
    results |= trio.run(idle, count)
    results["tree_100_us"] = min(trio.run(tree, 100) for _ in range(3))
    results["tree_1000_us"] = min(trio.run(tree, 1000) for _ in range(3))
    results["asyncio_queue"] = min(asyncio_queue(scale, BURST) for _ in range(3))
    results |= pykka_actor(scale, BURST)
    results |= erlang()
    report(figures(results), as_json=options.json)


if __name__ == "__main__":
    main()
