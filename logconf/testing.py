"""For tests of code that logs: what a sink would have seen, as parsed lines.

with capture_logs() as lines:
    submit(job)
assert lines[-1]["message"] == "Job submitted successfully"
assert lines[-1]["extra"]["job_id"] == job.job_id
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from logconf.handler import StructuredHandler
from logconf.records import install_record_maker
from logconf.render import JsonRenderer


@contextmanager
def capture_logs(level: int = logging.DEBUG, *, include_stack_info: bool = False) -> Iterator[list[dict[str, Any]]]:
    """Yield a list to which the JSON object of every record that reaches the root logger is appended.

    The root logger's level is `level` meanwhile; a logger's own level still applies. Nothing needs to be configured,
    and what is configured continues. Other handlers stay and get the records too. Everything is restored at the end.
    """
    root = logging.getLogger()
    lines: list[dict[str, Any]] = []
    render = JsonRenderer(include_stack_info=include_stack_info)

    def keep(record: logging.LogRecord) -> bytes:
        line = render(record)
        lines.append(orjson.loads(line))
        return line

    handler = StructuredHandler(keep, ())
    maker, previous_level = logging.Logger.makeRecord, root.level
    install_record_maker()
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(previous_level)
        logging.Logger.makeRecord = maker  # type: ignore[method-assign]
