"""What may be set about the provider `local`, with its defaults and checks."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.providers.entry_points import EntryPoint

SMALLEST_LOG = 64 * 1024


@attrs.frozen
class LocalOptions:
    """This machine as a provider.

    ``cpus``: slots (None: the cores this process may use). ``gpus``: a number (devices 0 to n-1) or their UUIDs
    (None: what ``nvidia-smi`` names, none without it). ``memory``: bytes to hand out (None: not counted).
    ``log_bytes``: about what one job's output may take on the disk; beyond it the middle is given back, the beginning
    and the newest part stay (None: no bound). ``grace_seconds``: between SIGTERM and SIGKILL when a job is ended.
    ``survives_our_restart``: false where the end of the supervisor ends every process, as in a container in which it
    is pid 1.
    """

    cpus: int | None = None
    gpus: int | tuple[str, ...] | None = None
    memory: int | None = None
    grace_seconds: float = 10.0
    log_bytes: int | None = 1 << 30
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
    survives_our_restart: bool = True

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be meant. Raises ValueError naming the option."""
        if self.cpus is not None and self.cpus < 1:
            raise ValueError("cpus must be at least 1")
        if isinstance(self.gpus, int) and self.gpus < 0:
            raise ValueError("gpus must be 0 or more")
        if isinstance(self.gpus, tuple) and any(not uuid or set(uuid) & set("/,\0") for uuid in self.gpus):
            raise ValueError("gpus must be names of devices, such as GPU-5f3a...")
        if self.memory is not None and self.memory < 1:
            raise ValueError("memory must be a number of bytes, at least 1")
        if self.log_bytes is not None and self.log_bytes < SMALLEST_LOG:
            raise ValueError(f"log_bytes must be at least {SMALLEST_LOG} bytes (64 KiB)")
        if self.grace_seconds < 0:
            raise ValueError("grace_seconds must be 0 or more")
