"""Carrying out what goes wrong: faults of providers and the disk, crashes, steps of the clock."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from actors.kernel import MailboxFull
from actors.providers.scripted import Fault, FaultKind, Refusal
from actors.runtime import RunningRuntime
from actors.simulation import database
from actors.simulation.process import Process
from actors.simulation.script import Step
from supervision import SupervisionError

_ERRORS = {"busy": database.BUSY, "full": database.FULL, "failed": database.FAILED}


class Junk:
    """A message without a meaning; it fills a mailbox."""


async def inject(process: Process, runtime: RunningRuntime, step: Step) -> None:
    """Carry ``step`` out on the world or on the process."""
    world, args = process.world, step.args
    match step.kind:
        case "provider":
            fault = provider_fault(args["fault"], process.servers[args["provider"]].elapsed(), args["seconds"])
            process.servers[args["provider"]].inject(fault)
            world.trace.count(f"fault: {args['provider']} {fault.kind}")
        case "stragglers":
            process.servers[args["provider"]].delay(args["times"], args["seconds"])
        case "point":
            world.trace.count("fault point")
            world.scheduler_hangs |= args["do"] == "hang" and args["point"].endswith(":scheduler")
            process.plan.at(args["point"], occurrence=1, do=args["do"], delay=args["delay"])
        case "restart_actor":
            try:
                await runtime.tree.restart(args["name"])
            except SupervisionError as refused:  # it is about to be restarted anyway
                world.say(f"{args['name']} is not restarted by hand: {type(refused).__name__}")
        case "overflow":
            with contextlib.suppress(MailboxFull):  # of an actor whose senders are to wait
                for _ in range(args["messages"]):
                    runtime.registry.whereis(args["name"]).cast(Junk())
        case "disk":
            world.database.disk.failures += [(args["beginning"], _ERRORS[args["error"]])] * args["times"]
        case "jump":
            world.clock.offset += timedelta(seconds=args["seconds"])
            world.jumped_at = world.elapsed()
        case "kill":
            process.arm(args["where"], args["count"])
    world.trace.count(f"step: {step.kind}")


def provider_fault(fields: Mapping[str, Any], elapsed: float, seconds: float) -> Fault:
    """The fault as the server knows it, for ``seconds`` from now."""
    known = dict(fields)
    kind = FaultKind(known.pop("kind"))
    calls = tuple(known.pop("calls", ()))
    refusal = Refusal(known.pop("refusal", "other"))
    return Fault(kind, calls, refusal=refusal, since=elapsed, until=elapsed + seconds, **known)
