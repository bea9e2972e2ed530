"""Greenroom: a supervised actor runtime for training jobs.

    async with open_runtime(Settings.load()) as runtime:
        job = await runtime.submit(JobRequest(provider="local", command=("python", "train.py"), user_id="ana"))
        job = await runtime.wait(job.job_id)

Names are loaded when they are first used, so that ``import actors`` costs nothing that is not needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.background import (
        BackgroundTaskManager,
        get_task_manager,
        start_background_tasks,
        stop_background_tasks,
    )
    from actors.control.runtime import Runtime
    from actors.jobs.records import Event, Job, JobRequest, Rerun, Resources
    from actors.jobs.refusal import Refused
    from actors.jobs.selections import Selection
    from actors.kernel import Actor, ActorRef, Envelope
    from actors.runtime import Parts, open_runtime
    from actors.settings import Settings, get_enterprise_config

_HOMES = {
    "Actor": "actors.kernel",
    "ActorRef": "actors.kernel",
    "BackgroundTaskManager": "actors.background",
    "Envelope": "actors.kernel",
    "Event": "actors.jobs.records",
    "Job": "actors.jobs.records",
    "JobRequest": "actors.jobs.records",
    "Parts": "actors.runtime",
    "Refused": "actors.jobs.refusal",
    "Rerun": "actors.jobs.records",
    "Resources": "actors.jobs.records",
    "Runtime": "actors.control.runtime",
    "Selection": "actors.jobs.selections",
    "Settings": "actors.settings",
    "get_enterprise_config": "actors.settings",
    "get_task_manager": "actors.background",
    "open_runtime": "actors.runtime",
    "start_background_tasks": "actors.background",
    "stop_background_tasks": "actors.background",
}

__all__ = [
    "Actor",
    "ActorRef",
    "BackgroundTaskManager",
    "Envelope",
    "Event",
    "Job",
    "JobRequest",
    "Parts",
    "Refused",
    "Rerun",
    "Resources",
    "Runtime",
    "Selection",
    "Settings",
    "get_enterprise_config",
    "get_task_manager",
    "open_runtime",
    "start_background_tasks",
    "stop_background_tasks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
