"""What messages cost elsewhere: in asyncio, with Pykka, in Erlang."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from time import perf_counter
from typing import Any


def asyncio_queue(scale: int, burst: int) -> float:
    """Microseconds for each message through asyncio.Queue, in the same bursts."""

    async def main() -> float:
        queue: asyncio.Queue[int] = asyncio.Queue()
        start = perf_counter()
        for _ in range(scale):
            for number in range(burst):
                queue.put_nowait(number)
            await asyncio.sleep(0)
            for _number in range(burst):
                queue.get_nowait()
        return (perf_counter() - start) / scale / burst * 1e6

    return asyncio.run(main())


def pykka_actor(scale: int, burst: int) -> dict[str, float]:
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
    for number in range(scale * burst):
        ref.tell(number)
    ref.ask(0)
    tell = (perf_counter() - start) / scale / burst * 1e6
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
