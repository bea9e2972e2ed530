"""The error that says why a backup or a restore was refused, or why it failed."""

from __future__ import annotations


class BackupError(Exception):
    """The backup or restore was not made, and nothing of it is left. The message says why, and what to do."""
