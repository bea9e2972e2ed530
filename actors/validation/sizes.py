"""Amounts of memory as people write them."""

from __future__ import annotations

import re
from typing import Any

from actors.validation.nodes import Entry, Scalar, is_nothing, shown
from actors.validation.reader import Reader

_UNITS = {"B": 1, **{f"{p}iB": 1024 ** (i + 1) for i, p in enumerate("KMGT")}}
_UNITS |= {f"{p}B": 1000 ** (i + 1) for i, p in enumerate(("k", "M", "G", "T"))}
_SIZE = re.compile(rf"([0-9]{{1,18}}(?:\.[0-9]{{1,9}})?) ?({'|'.join(_UNITS)})", re.ASCII)

_BYTES = re.compile(r"[0-9]{1,18}", re.ASCII)


def bytes_of(text: str) -> int | None:
    """The bytes that ``2GiB``, ``512 MiB``, ``1.5GB`` or ``1073741824`` means; None for another text."""
    if _BYTES.fullmatch(text):
        return int(text)
    found = _SIZE.fullmatch(text)
    return int(float(found[1]) * _UNITS[found[2]]) if found else None


def read_size(reader: Reader, entry: Entry, path: str) -> Any:
    """Bytes, as a whole number or as a text with a unit; None where nothing stands."""
    node = entry.node
    if is_nothing(node):
        return None
    if isinstance(node, Scalar) and isinstance(node.value, str):
        size = bytes_of(node.value)
        if size is None:
            return reader.fault(entry, path, f"must be a number of bytes or an amount such as 2GiB, not {shown(node)}")
        return size
    return reader.convert(entry, int, path)
