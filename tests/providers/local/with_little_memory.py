"""A job that wants more memory than there is: ``python -m tests.providers.local.with_little_memory ROOT GROUP``.

It enters the control group, runs the job by a provider of its own and prints the phase and the reason of the job's end.
A process for this alone: of all that is in the group the kernel ends whoever is largest, and the tests' own is large.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import trio

from tests.providers.local.stage import opened

GREEDY = "data = bytearray(900 << 20)\nfor at in range(0, len(data), 4096): data[at] = 1"


async def main(root: Path, group: Path) -> None:
    """Run the job to its end."""
    (group / "cgroup.procs").write_text(str(os.getpid()))
    async with opened(root) as stage:
        seen = await stage.ended(await stage.submit(sys.executable, "-c", GREEDY))
        print(seen.phase.value, seen.error, sep="\n")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), Path(sys.argv[2]))
