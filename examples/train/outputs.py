"""The outputs of a run: log lines, progress and result for Greenroom, and a checkpoint to resume from.

Greenroom sets the paths in the environment: GREENROOM_PROGRESS_FILE (JSON Lines), GREENROOM_RESULT_FILE (JSON) and
GREENROOM_OUTPUT_DIR. If a variable is not set, that output is not written, so the program also runs without Greenroom.
A job that runs again has a new output directory; GREENROOM_PREVIOUS_OUTPUT_DIR is that of the attempt before.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKPOINT = "checkpoint.json"


@dataclass(frozen=True)
class Outputs:
    """The paths of this run; None if the output is not requested."""

    progress_file: Path | None
    result_file: Path | None
    directory: Path | None
    previous: Path | None = None

    @classmethod
    def from_env(cls) -> Outputs:
        """Read the paths from the environment; an empty variable counts as not set."""

        def path(name: str) -> Path | None:
            value = os.environ.get(name)
            return Path(value) if value else None

        names = ("PROGRESS_FILE", "RESULT_FILE", "OUTPUT_DIR", "PREVIOUS_OUTPUT_DIR")
        return cls(*(path(f"GREENROOM_{name}") for name in names))

    def progress(self, **fields: Any) -> None:
        """Append one JSON line with a single write: a reader never sees a part of a line, even after a crash."""
        if self.progress_file is None:
            return
        line = json.dumps(fields) + "\n"
        descriptor = os.open(self.progress_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def result(self, **metrics: Any) -> None:
        """Write the final metrics: the complete file or none."""
        if self.result_file is not None:
            _replace(self.result_file, metrics)

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint atomically: a resumed run finds the old one or the new one."""
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            _replace(self.directory / CHECKPOINT, state)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The state last saved in this directory, else in that of the attempt before, else None.

        An attempt that was interrupted before its first epoch has carried the checkpoint that it found itself with it,
        see `carry_checkpoint`.

        Raises:
            ValueError: the file there is not a checkpoint.
        """
        for directory in (self.directory, self.previous):
            if directory is not None and (state := _checkpoint(directory / CHECKPOINT)) is not None:
                return state
        return None

    def carry_checkpoint(self, state: dict[str, Any]) -> None:
        """Save the state that this run begins with: the next attempt looks in the directory of this one only."""
        if self.previous is not None:
            self.save_checkpoint(state)


def _checkpoint(path: Path) -> dict[str, Any] | None:
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from error
    if not isinstance(state, dict) or not state.keys() >= {"settings", "epoch", "first", "second"}:
        raise ValueError(f"{path} is not a checkpoint of this program")
    return state


class RunLog:
    """Log lines: through `logconf` if Greenroom has set a correlation ID, so that they have it, too; else by print."""

    def __init__(self) -> None:
        self._logger = None
        if not os.environ.get("GREENROOM_CORRELATION_ID"):
            return
        try:
            from logconf import get_logger, init_from_env
        except ImportError:  # an interpreter without Greenroom: plain lines still go to the job's log
            return
        init_from_env()
        self._logger = get_logger("examples.train")

    def info(self, message: str, **fields: Any) -> None:
        """One line on stdout; `fields` are added if the line is structured."""
        if self._logger is None:
            print(message, flush=True)
        else:
            self._logger.info(message, extra=fields, stacklevel=2)

    def error(self, message: str) -> None:
        """One line that says why the run failed: structured, or on stderr."""
        if self._logger is None:
            print(message, file=sys.stderr, flush=True)
        else:
            self._logger.error(message, stacklevel=2)


def _replace(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
