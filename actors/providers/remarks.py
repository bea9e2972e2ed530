"""What a provider has to say of a job that has ended already, for whoever looks at the job."""

from __future__ import annotations

from typing import Protocol

import attrs
import trio


@attrs.frozen
class Remark:
    """``text``: a sentence about the job of submission key ``key``."""

    key: str
    text: str


class Remarks(Protocol):
    """What a provider has beside :class:`Provider` that makes remarks: a channel, read for as long as it runs."""

    remarks: trio.MemoryReceiveChannel[Remark]
