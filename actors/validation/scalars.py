"""What a plain scalar means: the core schema of YAML 1.2, and a refusal where YAML 1.1 would read something else."""

from __future__ import annotations

import re
from typing import Any

from actors.validation.marked import Ambiguous, WrittenFloat

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
#: The other numbers and words of https://yaml.org/type/bool.html, int.html and float.html.
_OLD = re.compile(
    r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
    r"|[-+]?0[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?0[xob][0-9a-fA-F_]+"
    r"|[-+]?[0-9][0-9_]*_[0-9_]*(?:\.[0-9_]*)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?",
    re.ASCII,
)
_LONGEST = 400  # characters of a number; the longest exact double has some 770, nobody writes one


def plain_value(text: str) -> Any:
    """The value that ``text``, written without quotes, stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        number = WrittenFloat(text if _FLOAT.fullmatch(text) else text.replace(".", ""))
        number.text = text
        return number
    return Ambiguous(text) if _OLD.fullmatch(text) else text
