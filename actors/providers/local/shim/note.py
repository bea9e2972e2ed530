"""What is known of a job where the job does not write: the file ``.started-KEY`` beside its directory.

Its first line says who runs the job, the second one how it ended. It is there before the program is let go, so a job
whose files are forged or gone is still known by its real shim, its boot and its control group, and only who wrote the
second line, the shim that saw the last process go, can have called it ended. Not synced: what a crash of the machine
may lose is needed only as long as it runs.
"""

from __future__ import annotations

import errno
import json
import os

from . import RECORD_SIZE
from .files import is_there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Note:
    """The note of one job, to be written by its shim. ``beside``: a descriptor of the folder of all jobs."""

    def __init__(self, beside: int, name: str) -> None:
        self.beside, self.name = beside, name
        self._fd: int | None = None
        self._end = 0

    def is_there(self) -> bool:
        """Whether the program was let go before."""
        return is_there(self.beside, self.name)

    def begin(self, run: dict[str, Any]) -> None:
        """Note who runs the job, and reserve the space for its end. Raises OSError, also where a note is there."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.name, flags, 0o600, dir_fd=self.beside)
        line = json.dumps(run).encode() + b"\n"
        data = line + b" " * RECORD_SIZE
        try:
            if os.write(fd, data) != len(data):
                raise OSError(errno.ENOSPC, "no space is left for the note")
        except OSError:  # half a note would say that the program was let go
            os.close(fd)
            os.unlink(self.name, dir_fd=self.beside)
            raise
        self._fd, self._end = fd, len(line)

    def end(self, record: bytes) -> None:
        """Note how it ended, if the program was let go. Raises OSError."""
        if self._fd is not None:
            os.pwrite(self._fd, record, self._end)
