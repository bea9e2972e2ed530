"""What a provider reported about one job at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from actors.jobs.series import Snapshot
from actors.jobs.statuses import Phase


@attrs.frozen
class Observation:
    """What a provider reported about one job at one moment. An absent value (None) means "not reported".

    ``series``: all numbers of its progress so far. ``devices``: the names of those that the job got, such as GPUs by
    UUID or index. ``waiting_reason``: why the provider lets it wait, in the provider's words. ``interrupted``: why the
    end was not the program's own ("the machine was restarted"); None: it was the program's own, or nothing else is
    known.
    """

    phase: Phase
    raw_status: str = ""
    seen_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    cost_usd: float | None = None
    compute_seconds: float | None = None
    output_url: str | None = None
    progress: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    series: Snapshot | None = None
    proven_dead: bool = False
    devices: tuple[str, ...] | None = None
    waiting_reason: str | None = None
    interrupted: str | None = None
