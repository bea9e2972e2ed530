"""Runs Slurm's commands as programs, each with its own environment, a deadline and an answer of limited size.

Variables such as SBATCH_PARTITION or SQUEUE_FORMAT change what the commands do, so the commands get none of the
supervisor's own. What a command prints is in English and in UTC.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import partial

import attrs
import trio

from actors.providers.errors import ProviderError, Unavailable
from actors.providers.slurm.options import SlurmOptions

SECONDS = 25.0
"""For one command but sbatch: Slurm's own time-out is MessageTimeout, 10 s by default."""
MOST_BYTES = 64 << 20
"""Of one answer: some 300,000 lines of squeue."""
MOST_ERROR = 64 << 10
AT_ONCE = 4
"""Commands that submit, and as many others."""

_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME")


@attrs.frozen
class Answer:
    """The output of a command, and its exit status (negative: the signal that ended it)."""

    status: int
    out: str
    error: str

    @property
    def words(self) -> str:
        """What it complained of, one line, without the command's own name before each sentence."""
        lines = [line.strip() for line in (self.error or self.out).splitlines()]
        plain = [line.split(": ", 2)[2] if line.startswith(_PREFIXES) else line for line in lines if line]
        return "; ".join(dict.fromkeys(plain))[:500] or f"exit status {self.status}"


PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol")
_PREFIXES = tuple(f"{program}: {kind}: " for program in (*PROGRAMS, "sacct") for kind in ("error", "fatal"))


class CommandTooSlow(ProviderError):
    """The command was ended at its deadline."""


class Commands:
    """Runs the commands of one cluster, a few at once."""

    def __init__(self, name: str, options: SlurmOptions) -> None:
        self._name = name
        self._options = options
        # Those that submit wait for a controller that hangs; the others must not wait for them.
        self._slots = {submits: trio.CapacityLimiter(AT_ONCE) for submits in (True, False)}

    @property
    def user(self) -> int:
        """The user whose jobs are ours."""
        return os.geteuid()

    def found(self, program: str) -> str:
        """Where the command is. Raises :class:`Unavailable` where it is missing."""
        if (found := shutil.which(program, path=self._options.path)) is None:
            raise Unavailable(f"{program} is not found: set providers.{self._name}.path to where Slurm's commands are")
        return os.path.abspath(found)  # noqa: PTH100 - a command may look at the name by which it was called

    def environment(self) -> dict[str, str]:
        """Return the complete environment of a command."""
        conf = self._options.conf or os.environ.get("SLURM_CONF")
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "LC_ALL": "C",
            "TZ": "UTC0",
            **({"SLURM_CONF": conf} if conf else {}),
        }

    async def run(
        self,
        program: str,
        *arguments: str,
        stdin: bytes = b"",
        seconds: float | None = None,
        keep: tuple[int, ...] = (),
    ) -> Answer:
        """Run it to its end. ``seconds``: see :data:`SECONDS`. ``keep``: descriptors that it inherits.

        Raises :class:`Unavailable` where it cannot be started (nothing was sent then), :class:`CommandTooSlow` where
        it did not end in time, :class:`ProviderError` where it printed too much.
        """
        argv = [self.found(program), *arguments]
        seconds = SECONDS if seconds is None else seconds
        async with self._slots[program == "sbatch"]:
            with trio.move_on_after(seconds):
                return await self._run(argv, stdin, keep)
        raise CommandTooSlow(f"{program} did not end within {seconds:g} s")

    async def _run(self, argv: list[str], stdin: bytes, keep: tuple[int, ...]) -> Answer:
        options: Mapping[str, object] = {
            "stdin": stdin, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "check": False,
            "env": self.environment(), "pass_fds": keep, "cwd": "/",
        }  # fmt: skip
        out, error = bytearray(), bytearray()
        try:
            async with trio.open_nursery() as nursery:
                process: trio.Process = await nursery.start(partial(trio.run_process, argv, **options))
                assert process.stdout is not None
                assert process.stderr is not None
                nursery.start_soon(_read, process.stdout, out, MOST_BYTES)
                nursery.start_soon(_read, process.stderr, error, MOST_ERROR)
        except* OSError as group:
            raise Unavailable(f"{argv[0]} cannot be started: {group.exceptions[0]}") from group
        except* _TooMuch as group:
            raise ProviderError(f"{argv[0]} printed more than {MOST_BYTES} bytes") from group
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(errors="replace"), error.decode(errors="replace"))


class _TooMuch(Exception):
    pass


async def _read(stream: trio.abc.ReceiveStream, into: bytearray, most: int) -> None:
    async for piece in stream:
        into += piece
        if len(into) > most:
            raise _TooMuch
