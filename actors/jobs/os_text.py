"""Values that the operating system takes as bytes: the words of a command, a working directory, values of variables.

Linux asks of them only that they hold no NUL byte. In memory such a value is a ``str``, decoded as UTF-8 with Python's
``surrogateescape`` (PEP 383): a byte that is not UTF-8 is one of the code points U+DC80 to U+DCFF. So text stays
readable, and two different byte strings are two different texts. Where only UTF-8 can go (JSON, the store), a value
that is not UTF-8 is the object ``{"base64": "..."}``; where people read it, the byte is ``\\xNN``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

KEY = "base64"
"""The one key of the object that stands for a value of which the bytes are not UTF-8."""
REPLACED = "\N{REPLACEMENT CHARACTER}"
CONTROL = re.compile("[\x01-\x1f\x7f-\x9f]")
"""A control character other than NUL, which no text of ours may have."""
_BYTES = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def from_bytes(data: bytes) -> str:
    """The value of these bytes."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(value: str) -> bytes:
    """The bytes of this value. Raises ``UnicodeEncodeError`` (a ``ValueError``) for a surrogate that is no byte."""
    return value.encode("utf-8", "surrogateescape")


def is_utf8(value: str) -> bool:
    """Whether ``value`` is text that can be written as UTF-8."""
    return value.isascii() or _SURROGATE.search(value) is None


def to_plain(value: str) -> str | dict[str, str]:
    """``value`` for JSON: itself or, where it is not UTF-8, ``{"base64": ...}``. Raises as :func:`to_bytes`."""
    return value if is_utf8(value) else {KEY: base64.b64encode(to_bytes(value)).decode()}


def from_plain(plain: Any) -> str:
    """The inverse of :func:`to_plain`. Raises ``ValueError``, in words that can stand behind a field's name."""
    if isinstance(plain, str):
        if not is_utf8(plain):
            raise ValueError(f'must be UTF-8; write other bytes as {{"{KEY}": "..."}}')
        return plain
    data = plain.get(KEY) if isinstance(plain, Mapping) and len(plain) == 1 else None
    if not isinstance(data, str):
        raise ValueError(f'must be a text, or {{"{KEY}": "..."}} for bytes that are not UTF-8')
    try:
        return from_bytes(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError(f"{KEY}: is not base64 (RFC 4648, with its padding)") from None


def shown(value: str) -> str:
    """``value`` as people read it: each byte that is not UTF-8 as ``\\xNN``."""
    return value if is_utf8(value) else _BYTES.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", value)


def in_utf8(text: str) -> str:
    """``text`` as UTF-8 can carry it: what is no character is replaced."""
    return text if is_utf8(text) else _SURROGATE.sub(REPLACED, text)


def kept(text: str) -> str:
    """``text`` of a provider as it can be kept: bytes that are not UTF-8 as ``\\xNN``, what cannot be kept replaced."""
    return in_utf8(shown(text)).replace("\0", REPLACED)


def is_one_line(text: str) -> bool:
    """Whether ``text`` can be a name: UTF-8 without control characters. It need not be visible."""
    return is_utf8(text) and "\0" not in text and not CONTROL.search(text)


def printable(text: str, instead: str = " ") -> str:
    """``text`` as one line without what terminals obey; ``instead`` of each such mark."""
    return text if text.isprintable() else "".join(mark if mark.isprintable() else instead for mark in text)


def readable(document: Any) -> Any:
    """Plain data with every text as :func:`kept` has it: for documents that hold paths of this machine."""
    if isinstance(document, str):
        return kept(document)
    if isinstance(document, Mapping):
        return {kept(str(key)): readable(value) for key, value in document.items()}
    return [readable(value) for value in document] if isinstance(document, list | tuple) else document
