"""Regular expressions of the configuration and of people, by RE2: linear in time, whatever the expression."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1000)
def compiled(expression: str) -> Any:
    """``expression`` as an object of ``re2``. Raises ``ValueError`` saying what is wrong, and writes nothing itself."""
    import re2  # 3 MB that only such an expression needs

    options = re2.Options()
    options.log_errors = False  # else the library writes to stderr by itself
    try:
        return re2.compile(expression, options)
    except (re2.error, UnicodeError) as error:
        said = error.args[0]
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(error)
        raise ValueError(f"is no regular expression of RE2: {reason}") from error
