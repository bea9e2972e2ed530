"""The settings as one value, and what was noticed while they were put together."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.api.options import HttpOptions
from actors.feed.options import FeedOptions
from actors.jobs.options import ApprovalOptions, ExpiryOptions, Limits, PollerOptions, QueueOptions
from actors.providers.breaker import BreakerOptions
from actors.providers.entry_points import EntryPoint
from actors.providers.registry import options_class
from actors.validation import CheckedError
from logconf import get_logger

RETENTION_DAYS = 90


class SettingsError(CheckedError):
    """The settings are wrong; ``faults`` and the message hold everything that is, with places."""


@attrs.frozen
class Note:
    """Something noticed before logging was configured. ``level`` is one of :mod:`logging`'s numbers."""

    level: int
    message: str
    extra: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class ProviderSettings:
    """One configured provider: its own name, its kind, the options of that kind, and what every provider has."""

    name: str
    kind: str
    options: Any
    webhook_url: str | None = None
    circuit_breaker: BreakerOptions = attrs.field(factory=BreakerOptions)


def default_providers() -> dict[str, ProviderSettings]:
    """This machine, where it can compute: the local provider needs Linux (C8)."""
    if sys.platform != "linux":
        return {}
    return {"local": ProviderSettings("local", "local", options_class("local")())}


@attrs.frozen
class Settings:
    """Everything that can be set, checked. ``sources`` tells where each value that is no default came from.

    ``state_dir``: where rows, jobs and the lock live. ``retention_days``: how long ended jobs are kept, 0 for ever.
    ``config_file``: the file that was read, None without one. ``notes``: what to log once logging is configured.
    """

    state_dir: Path
    poller: PollerOptions = attrs.field(factory=PollerOptions)
    expiry: ExpiryOptions = attrs.field(factory=ExpiryOptions)
    limits: Limits = attrs.field(factory=Limits)
    queue: QueueOptions = attrs.field(factory=QueueOptions)
    approvals: ApprovalOptions = attrs.field(factory=ApprovalOptions)
    providers: Mapping[str, ProviderSettings] = attrs.field(factory=default_providers)
    entry_points: Mapping[str, EntryPoint] = attrs.field(factory=dict)
    retention_days: int = attrs.field(default=RETENTION_DAYS, validator=attrs.validators.ge(0))
    http: HttpOptions = attrs.field(factory=HttpOptions)
    feed: FeedOptions = attrs.field(factory=FeedOptions)
    config_file: Path | None = None
    sources: Mapping[str, str] = attrs.field(factory=dict)
    notes: tuple[Note, ...] = ()

    @classmethod
    def load(
        cls,
        config: Path | str | None = None,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        home: Path | None = None,
        working_directory: bool = True,
    ) -> Settings:
        """The settings of this machine: file, environment, defaults. Raises :class:`SettingsError`, logs nothing.

        ``config``: this file and no other. ``environ``, ``cwd`` and ``home``: None means the process's own.
        ``working_directory``: whether a file in the working directory counts, where no other was named.
        """
        from actors.settings.loading import load

        return load(config, os.environ if environ is None else environ, cwd, home, working_directory=working_directory)

    @classmethod
    def default(cls, state_dir: Path | str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        """Defaults and environment, no file: for an embedding program that sets the rest with ``attrs.evolve`` (B1)."""
        from actors.settings.loading import without_file

        return without_file(state_dir, os.environ if environ is None else environ)

    def webhook_urls(self) -> dict[str, str | None]:
        """Where each provider delivers, by its name; None: it does not."""
        return {name: one.webhook_url for name, one in self.providers.items()}

    def log_notes(self, logger: logging.Logger | None = None) -> None:
        """Log what was noticed while loading."""
        logger = logger or get_logger("actors.settings")
        for note in self.notes:
            logger.log(note.level, note.message, extra=dict(note.extra))
