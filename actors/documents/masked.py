"""Plain data without the values that look like secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from logconf.masking import MASK, key_names_secret, mask_text


def masked(value: Any, key: str = "") -> Any:
    """``value``, which is at ``key``; a text that looks like a secret, or whose key says that it is one, is ``***``."""
    if isinstance(value, Mapping):
        return {name: masked(one, str(name)) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(one, key) for one in value]
    if isinstance(value, str):
        return MASK if key_names_secret(key) else mask_text(value)
    return value
