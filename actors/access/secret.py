"""Secrets: how they are made, and the only form in which they are kept."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "gr_"
"""What a token begins with, so that scanners of repositories and logs can know it."""
LONGEST = 128
"""Characters that are looked at; ours have 46."""
_BYTES = 32


def fresh() -> str:
    """256 random bits as a text that fits a URL."""
    return secrets.token_urlsafe(_BYTES)


def hashed(secret: str) -> str:
    """SHA-256 in hex. Salt and stretching are for passwords: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
