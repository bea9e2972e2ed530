"""A supervisor that can be told to kill itself: ``python -m tests.kills.supervisor STATE_DIR JOBS [EVENT NUMBER]``.

``JOBS`` is a JSON file with a list of job requests, each with an idempotency key: every start submits them all and
the ones that are known are found again. The process ends when all of them have. With an ``EVENT`` it sends itself
SIGKILL at that event's occurrence of that number, so that not one instruction follows.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.job_requests.job_request import request_from_mapping
from actors.jobs.options import Limits
from actors.ledger import Ledger, deaths
from actors.providers.local import LocalOptions
from actors.providers.local.directory import JobDirectory
from actors.providers.local.shims import Shims
from actors.runtime import open_runtime
from actors.settings import ProviderSettings, Settings
from actors.store import submissions
from actors.store.state_directory import LOG
from logconf import configure_structured_logging

LIMITS = Limits(total=4, per_user=2)

POINTS: dict[str, tuple[Any, str, Callable[[Any], int]]] = {
    "intent written": (submissions, "put", lambda _: 1),
    "claim committed": (Ledger, "claim", lambda claimed: int(bool(claimed.dispatches))),
    "job written down": (JobDirectory, "place", int),
    "shim started": (Shims, "start", lambda _: 1),
    "handle stored": (Ledger, "_record", len),
    "exit written": (Shims, "collect", len),
    "event committed": (Ledger, "_publish_events", lambda _: 1),
}
"""By event: whose call it belongs to, and how many occurrences one answer of that call stands for.

``intent written`` lies before its COMMIT, ``event committed`` between COMMIT and everybody's being told, ``exit
written`` between the end of a shim and anybody's reading its record.
"""


def settings_of(state_dir: Path) -> Settings:
    """The settings of every supervisor in these tests."""
    options = LocalOptions(cpus=4, gpus=0, grace_seconds=0.5)
    providers = {"local": ProviderSettings("local", "local", options)}
    return attrs.evolve(Settings.default(state_dir, environ={}), limits=LIMITS, providers=providers)


def kill_at(event: str, number: int) -> None:
    """Arrange for the end of this process."""
    owner, name, counts = POINTS[event]
    original = getattr(owner, name)
    seen = 0

    def count(answer: Any) -> Any:
        nonlocal seen
        seen += counts(answer)
        if seen >= number:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    if name in ("claim", "_record"):

        @functools.wraps(original)
        async def counted_later(ledger: Ledger, *args: Any, **kwargs: Any) -> Any:
            answer = await original(ledger, *args, **kwargs)
            count(answer if name == "claim" else args[0])  # the answers of providers, which are recorded now
            return answer

        setattr(owner, name, counted_later)
    elif name == "_publish_events":
        setattr(owner, name, lambda *args: (count(args), original(*args))[1])
    else:
        setattr(owner, name, functools.wraps(original)(lambda *args: count(original(*args))))


async def main(state_dir: Path, jobs: bytes) -> None:
    """Submit what is not known yet, and stay until all of it has ended."""
    requests = [request_from_mapping(one) for one in json.loads(jobs)]
    async with open_runtime(settings_of(state_dir)) as runtime:
        for accepted in await runtime.jobs.submit_many(requests):
            await runtime.wait(accepted.job.job_id)


if __name__ == "__main__":
    deaths.MOST_DEATHS = 1000  # these kills come from outside: three of them in one job's hand-over are chance here
    state = Path(sys.argv[1])
    (state / LOG).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    configure_structured_logging("INFO", True, str(state / LOG), stream=None)
    if sys.argv[3:]:
        kill_at(sys.argv[3], int(sys.argv[4]))
    trio.run(main, state, Path(sys.argv[2]).read_bytes())
