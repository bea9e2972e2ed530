"""Why a backup or a restore was refused, or failed."""

from __future__ import annotations


class BackupError(Exception):
    """It was not done, and nothing is left of it; the message says why and what to do."""
