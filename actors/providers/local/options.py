"""What may be set about the provider `local`, with its defaults and checks."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from actors.jobs.quantities import Bytes, Seconds
from actors.providers.entry_points import EntryPoint
from actors.validation.values import OR_MORE, at_least, fits

SMALLEST_LOG = 64 * 1024


def _are_gpus(gpus: int | tuple[str, ...]) -> bool:
    return all(uuid and not set(uuid) & set("/,\0") for uuid in gpus) if isinstance(gpus, tuple) else gpus >= 0


@attrs.frozen
class LocalOptions:
    """This machine as a provider.

    ``cpus``: slots; None: the cores that this process may use. ``gpus``: a number (devices 0 to n-1) or their UUIDs;
    None: those that ``nvidia-smi`` lists, none without it. ``memory``: the memory for jobs that say how much they need;
    None: the memory of this machine or of our control group, less a tenth. ``grace_seconds``: the time between SIGTERM
    and SIGKILL when a job is ended. ``log_bytes``: about how much of one job's output is kept on the disk. If there is
    more, the beginning and the newest part stay and the middle is deleted; None: no limit. ``survives_our_restart``:
    false if the end of the supervisor ends every process, as in a container in which it is pid 1. ``zygote``: start the
    shims of jobs by fork from one small process, which takes a fraction of the time; false: start an interpreter for
    each.
    """

    cpus: int | None = attrs.field(default=None, validator=at_least(1))
    gpus: int | tuple[str, ...] | None = attrs.field(
        default=None, validator=fits(_are_gpus, "must be 0 or more, or names of devices, such as GPU-5f3a...")
    )
    memory: Bytes | None = attrs.field(
        default=None, validator=fits(lambda size: size >= 1, "must be a number of bytes, at least 1")
    )
    grace_seconds: Seconds = attrs.field(default=10.0, validator=OR_MORE)
    log_bytes: Bytes | None = attrs.field(
        default=1 << 30,
        validator=fits(lambda size: size >= SMALLEST_LOG, f"must be at least {SMALLEST_LOG} bytes (64 KiB)"),
    )
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
    survives_our_restart: bool = True
    zygote: bool = True
