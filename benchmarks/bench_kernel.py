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
import asyncio
import gc
import logging
import shutil
import subprocess
import tracemalloc
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import attrs
import trio
from common import Figure, at_most, report

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


async def messages(scale: int) -> dict[str, float]:
    """Microseconds for each kind of message."""
    get_correlation_id()
    ref = ActorRef("echo", Mailbox(2 * BURST))
    async with trio.open_nursery() as nursery, open_supervisor([actor_spec(ref, Echo)]):
        send, receive = trio.open_memory_channel[Any](2 * BURST)
        ask, asked = trio.open_memory_channel[Any](1)
        reply_send, reply_receive = trio.open_memory_channel[Any](1)

        @nursery.start_soon
        async def future_server() -> None:
            async for message, future in asked:
                future.set(message)

        question_send, questions = trio.open_memory_channel[Any](1)

        @nursery.start_soon
        async def channel_server() -> None:
            async for message in questions:
                await reply_send.send(message)

        async def raw_burst() -> float:
            start = perf_counter()
            for _ in range(scale):
                for number in range(BURST):
                    send.send_nowait(number)
                await trio.lowlevel.checkpoint()
                for _number in range(BURST):
                    receive.receive_nowait()
            return (perf_counter() - start) / scale / BURST * 1e6

        async def cast_burst() -> float:
            start = perf_counter()
            for _ in range(scale):
                for number in range(BURST):
                    ref.cast(number)
                while len(ref.mailbox):
                    await trio.lowlevel.checkpoint()
            return (perf_counter() - start) / scale / BURST * 1e6

        async def future_call() -> float:
            start = perf_counter()
            for number in range(scale * 10):
                future = OneSlotFuture()
                ask.send_nowait((number, future))
                await future.wait()
            return (perf_counter() - start) / scale / 10 * 1e6

        async def actor_call() -> float:
            start = perf_counter()
            for number in range(scale * 10):
                await ref.call(number)
            return (perf_counter() - start) / scale / 10 * 1e6

        async def channel_call() -> float:
            start = perf_counter()
            for number in range(scale * 10):
                await question_send.send(number)
                await reply_receive.receive()
            return (perf_counter() - start) / scale / 10 * 1e6

        async def channel_send() -> float:
            start = perf_counter()
            for number in range(scale * 10):
                await send.send(number)
                await receive.receive()
            return (perf_counter() - start) / scale / 10 * 1e6

        results = await best(
            40, raw=raw_burst, cast=cast_burst, future=future_call, call=actor_call, channel_call=channel_call,
            channel_send=channel_send,
        )  # fmt: skip
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


# -- Peers


def asyncio_queue(scale: int) -> float:
    """Microseconds for each message through asyncio.Queue, in the same bursts."""

    async def main() -> float:
        queue: asyncio.Queue[int] = asyncio.Queue()
        start = perf_counter()
        for _ in range(scale):
            for number in range(BURST):
                queue.put_nowait(number)
            await asyncio.sleep(0)
            for _number in range(BURST):
                queue.get_nowait()
        return (perf_counter() - start) / scale / BURST * 1e6

    return asyncio.run(main())


def pykka_actor(scale: int) -> dict[str, float]:
    """Pykka's tell and ask, if it is installed."""
    try:
        import pykka
    except ImportError:
        return {}

    class PykkaEcho(pykka.ThreadingActor):  # type: ignore[misc, unused-ignore]
        def on_receive(self, message: Any) -> Any:
            return message

    ref = PykkaEcho.start()
    start = perf_counter()
    for number in range(scale * BURST):
        ref.tell(number)
    ref.ask(0)
    tell = (perf_counter() - start) / scale / BURST * 1e6
    start = perf_counter()
    for number in range(scale):
        ref.ask(number)
    ask = (perf_counter() - start) / scale * 1e6
    ref.stop()
    return {"pykka_tell": tell, "pykka_ask": ask}


ERLANG = """
Loop = fun(F) -> receive {P, M} -> P ! M, F(F) end end,
Pid = spawn(fun() -> Loop(Loop) end), N = 100000,
{T, _} = timer:tc(fun() -> [begin Pid ! {self(), I}, receive I -> ok end end || I <- lists:seq(1, N)] end),
io:format("~p", [T / N]), halt().
"""


def erlang() -> dict[str, float]:
    """A round trip between two Erlang processes, if ``erl`` is installed."""
    if shutil.which("erl") is None:
        return {}
    done = subprocess.run(["erl", "-noshell", "-eval", ERLANG], capture_output=True, text=True, timeout=120, check=True)
    return {"erlang_call": float(done.stdout)}


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
    results["asyncio_queue"] = min(asyncio_queue(scale) for _ in range(3))
    results |= pykka_actor(scale)
    results |= erlang()
    report(figures(results), as_json=options.json)


if __name__ == "__main__":
    main()
