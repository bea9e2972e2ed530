"""What existing programs ask of the configuration, under the names they know (B22)."""

from __future__ import annotations

import attrs

from actors.settings.model import Settings


@attrs.frozen
class EnterpriseConfig:
    """``job_polling_enabled``: only where the file says so itself. ``job_polling_interval``: in seconds."""

    job_polling_enabled: bool
    job_polling_interval: float


def get_enterprise_config() -> EnterpriseConfig:
    """The configuration of this machine, read anew. Raises :class:`SettingsError`."""
    poller = Settings.load().poller
    interval = poller.interval_seconds
    return EnterpriseConfig(poller.enabled is True, int(interval) if interval.is_integer() else interval)
