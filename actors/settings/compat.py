"""The configuration as existing programs read it, under the names that they use (B22)."""

from __future__ import annotations

import attrs

from actors.settings.settings import Settings


@attrs.frozen
class EnterpriseConfig:
    """``job_polling_enabled``: only where the file sets it itself. ``job_polling_interval``: in seconds."""

    job_polling_enabled: bool
    job_polling_interval: float


def get_enterprise_config(*, working_directory: bool = True) -> EnterpriseConfig:
    """The configuration of this machine, read anew. Raises :class:`SettingsError`.

    ``working_directory``: whether a file there counts, as for the command line. ``start_background_tasks()`` does not
    look there by default; give both the same.
    """
    poller = Settings.load(working_directory=working_directory).background.job_status_polling
    interval = poller.interval_seconds
    return EnterpriseConfig(poller.enabled is True, int(interval) if interval.is_integer() else interval)
