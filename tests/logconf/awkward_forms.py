"""How the cases of the battery are written: source of a script, and what must hold of its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[dict[str, Any]], bool]

FRAME = """
    import asyncio, collections, dataclasses, datetime, decimal, enum, fractions, functools, logging, pathlib, sys, uuid
    from logconf import LogContext, configure_structured_logging, get_logger, set_correlation_id
    configure_structured_logging("DEBUG")
    log = get_logger("battery")
    class Base:
        def __init__(self, *args): pass
"""
KEYS = ["timestamp", "level", "logger", "message", "correlation_id", "source", "extra"]


def extra(key: str, expected: object) -> Check:
    return lambda line: line["extra"][key] == expected


def within(key: str, *parts: str) -> Check:
    return lambda line: all(part in line["extra"][key] for part in parts)


def message(*parts: str) -> Check:
    return lambda line: all(part in line["message"] for part in parts)


def exception(*parts: str) -> Check:
    return lambda line: all(part in line["exception"] for part in parts)


def value(source: str, check: Check, before: str = "") -> tuple[str, Check]:
    """A case about one value in `extra`; a second field must survive beside it."""
    return (
        f"{before}\nlog.info('m', extra={{'v': {source}, 'beside': 1}})",
        lambda line: line["message"] == "m" and line["extra"].get("beside") == 1 and check(line),
    )


def attempt(raising: str, check: Check, before: str = "") -> tuple[str, Check]:
    """A case about one exception."""
    body = "\n".join(f"    {line}" for line in raising.splitlines())
    return (
        f"{before}\ntry:\n{body}\nexcept BaseException:\n    log.exception('m', extra={{'beside': 1}})",
        lambda line: line["message"] == "m" and line["extra"] == {"beside": 1} and check(line),
    )


def broken(method: str, error: str = "ValueError('no')") -> str:
    return f"class Broken(Base):\n    def {method}(self, *args):\n        raise {error}"
