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
    from actors.background import BackgroundTaskManager as BackgroundTaskManager
    from actors.background import get_task_manager as get_task_manager
    from actors.background import start_background_tasks as start_background_tasks
    from actors.background import stop_background_tasks as stop_background_tasks
    from actors.control.runtime import Runtime as Runtime
    from actors.jobs.records import Event as Event
    from actors.jobs.records import Job as Job
    from actors.jobs.records import JobRequest as JobRequest
    from actors.jobs.records import Rerun as Rerun
    from actors.jobs.records import Resources as Resources
    from actors.jobs.refusal import Refused as Refused
    from actors.jobs.selections import Selection as Selection
    from actors.kernel import Actor as Actor
    from actors.kernel import ActorRef as ActorRef
    from actors.kernel import Envelope as Envelope
    from actors.runtime import Parts as Parts
    from actors.runtime import open_runtime as open_runtime
    from actors.settings import Settings as Settings
    from actors.settings import get_enterprise_config as get_enterprise_config

_BY_MODULE = {
    "actors.background": (
        "BackgroundTaskManager", "get_task_manager", "start_background_tasks", "stop_background_tasks",
    ),
    "actors.control.runtime": ("Runtime",),
    "actors.jobs.records": ("Event", "Job", "JobRequest", "Rerun", "Resources"),
    "actors.jobs.refusal": ("Refused",),
    "actors.jobs.selections": ("Selection",),
    "actors.kernel": ("Actor", "ActorRef", "Envelope"),
    "actors.runtime": ("Parts", "open_runtime"),
    "actors.settings": ("Settings", "get_enterprise_config"),
}  # fmt: skip
_HOMES = {name: module for module, names in _BY_MODULE.items() for name in names}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
