"""Each event is one log line, under its job's correlation ID (A14): in one world of eight, where logging is not off."""

from __future__ import annotations

import logging
from types import TracebackType

from actors.jobs.records import Event
from actors.simulation.rules import Rule
from actors.simulation.world import World
from logconf import get_correlation_id

_WORLDS = 8
_LOGGER = logging.getLogger("actors.ledger")


class EventLines(logging.Handler):
    """Listens to the lines about events while a process of ``world`` lives."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.DEBUG)
        self._world = world
        self._is_on = world.seed % _WORLDS == 0
        self._lines: dict[int, tuple[str | None, ...]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        number = getattr(record, "event_seq", None)
        if number is not None:
            event, job_id, status = (getattr(record, name, None) for name in ("event", "job_id", "status"))
            self._lines[number] = (event, get_correlation_id(), job_id, status)

    def published(self, event: Event) -> None:
        """``event`` was published: it was logged before that."""
        if self._is_on:
            line = self._lines.pop(event.seq, None)
            same = line == (event.type, event.correlation_id, event.job_id, event.data.get("status"))
            self._world.require(same, Rule.LOGGED, f"event {event.seq} ({event.type}) has the line {line}")

    def __enter__(self) -> EventLines:
        if self._is_on:
            self._before = _LOGGER.level, logging.root.manager.disable
            logging.disable(logging.NOTSET)
            _LOGGER.setLevel(logging.DEBUG)
            _LOGGER.addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._is_on:
            _LOGGER.removeHandler(self)
            _LOGGER.setLevel(self._before[0])
            logging.disable(self._before[1])
