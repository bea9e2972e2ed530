"""Which place a line reports from, where a helper words and logs it for many places (A6).

The helper notes the place while the change is made, and gives it to :func:`log_from` when the line is written, which
may be later and from another thread.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Container, Mapping
from types import CodeType, FrameType
from typing import Any

Origin = tuple[CodeType, int]
"""A function's code and the line in it."""


def find_origin(helpers: Container[str]) -> Origin | None:
    """The nearest caller whose source file is not in ``helpers`` (values of ``__file__``); None: there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename in helpers:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lineno)


def log_from(
    origin: Origin | None,
    logger: logging.Logger,
    level: int,
    message: str,
    *,
    extra: Mapping[str, Any],
    exc_info: BaseException | None = None,
) -> None:
    """Log ``message`` so that its line names ``origin`` as its source; None: the caller."""
    if not logger.isEnabledFor(level):
        return
    if origin is None:
        logger.log(level, message, extra=dict(extra), exc_info=exc_info, stacklevel=2)
        return
    code, line = origin
    info = None if exc_info is None else (type(exc_info), exc_info, exc_info.__traceback__)
    name = code.co_name
    record = logger.makeRecord(
        logger.name, level, code.co_filename, line, message, (), info, func=name, extra=dict(extra)
    )
    logger.handle(record)
