"""Checks of a provider's answers before they are used: each returns the answer or raises ``Protocol``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs
import orjson

from actors.jobs.os_text import kept
from actors.jobs.records import Capacity, Observation, Phase
from actors.jobs.series import MOST_POINTS, Snapshot
from actors.jobs.series_book import MOST_NAMES
from actors.providers.abilities import ListedJob, RequestFault
from actors.providers.base import Absent, Found, Handle, LogChunk, Submitted, Unknowable, View
from actors.providers.deliveries import DeliveryEvent, DeliveryHint, DeliveryReport, Rejected
from actors.providers.errors import Protocol, explained_as
from actors.providers.json_reading import DEEPEST, amount, is_shallow

T = TypeVar("T")

#: A handle is stored with the job and read by every sweep (bytes of JSON).
LARGEST_HANDLE = 16 * 1024

#: Progress and result of one job, in bytes of JSON, and each text that is said of it, in characters.
LARGEST_OBJECT = 2 << 20
LONGEST_TEXT = 8_000
#: Of an exit status or a signal.
LARGEST_STATUS = 2**32
MOST_DEVICES, LONGEST_NAME = 256, 200


def checked_size(answer: object) -> int | None:
    """A number of bytes, or None."""
    if answer is None or (isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < 2**63):
        return answer
    raise Protocol(f"{answer!r:.80} is not a number of bytes")


def nothing(_answer: object) -> None:
    """Accepts any answer to a call that has no result."""


def checked_capacity(answer: object) -> Capacity:
    """A capacity whose amounts are whole numbers from 0, or None."""
    capacity = of_type(answer, Capacity, "capacity")
    for name in ("cpus", "gpus", "memory"):
        there = getattr(capacity, name)
        if there is not None and (isinstance(there, bool) or not isinstance(there, int) or there < 0):
            raise Protocol(f"capacity.{name} is {there!r}, not a whole number from 0")
    return capacity


def checked_devices(answer: object) -> tuple[str, ...]:
    """The names of a provider's GPUs."""
    return _devices(answer, "devices") or ()


def checked_place(answer: object) -> str | None:
    """A cursor, or None."""
    return None if answer is None else of_type(answer, str, "place in an output")


def checked_moment(answer: object) -> datetime | None:
    """An aware moment, or None."""
    if answer is None or (isinstance(answer, datetime) and answer.tzinfo is not None):
        return answer
    raise Protocol(f"{answer!r:.80} is not a moment with a time zone")


def checked_jobs(answer: object) -> list[ListedJob]:
    """Jobs that a provider runs, with texts that can be shown."""
    found = [of_type(one, ListedJob, "listed job") for one in _sequence(answer, "list of jobs")]
    texts: list[Any] = [text for one in found for text in (one.key, one.name)]
    if not all(isinstance(text, str) for text in texts):
        raise Protocol("a list of jobs holds something else")
    return [ListedJob(kept(one.key)[:LONGEST_TEXT], kept(one.name)[:LONGEST_TEXT]) for one in found]


def checked_faults(answer: object, number: int) -> list[tuple[RequestFault, ...]]:
    """The faults of each of ``number`` requests."""
    found = [tuple(_sequence(one, "faults of a request")) for one in _sequence(answer, "faults of requests")]
    if len(found) != number or not all(isinstance(fault, RequestFault) for one in found for fault in one):
        raise Protocol(f"{len(found)} answers about {number} requests, or no faults")
    return [
        tuple(attrs.evolve(fault, field=kept(fault.field), message=kept(fault.message)) for fault in one)
        for one in found
    ]


def checked_submitted(answer: object) -> Submitted:
    """An accepted job with a small JSON handle; an invalid observation is left out, the job is not."""
    submitted = of_type(answer, Submitted, "answer to a submission")
    handle = checked_object(submitted.handle, "handle")
    size = len(orjson.dumps(handle))
    if size > LARGEST_HANDLE:
        raise Protocol(f"handle has {size} bytes of JSON, more than {LARGEST_HANDLE}")
    observation = _sensible(submitted.observation)
    return attrs.evolve(submitted, handle=handle, observation=observation, existed=bool(submitted.existed))


def checked_find(answer: object) -> Found:
    """One of the three answers to a look-up."""
    if isinstance(answer, (Absent, Unknowable)):
        return answer
    return checked_submitted(answer)


def checked_chunk(answer: object) -> LogChunk:
    """A piece of output, in bytes, with its cursor."""
    chunk = of_type(answer, LogChunk, "piece of output")
    of_type(chunk.data, bytes, "data of a piece of output")
    of_type(chunk.cursor, str, "cursor of a piece of output")
    return chunk


def checked_secrets(answer: object) -> tuple[str, ...]:
    """A list of texts. An invalid answer is not shown in the error."""
    found = tuple(_sequence(answer, "secrets"))
    if not all(isinstance(one, str) for one in found):
        raise Protocol("a secret is not text")
    return found


def checked_delivery(answer: object) -> DeliveryReport:
    """A delivery with its ids; an invalid observation is left out, because the job is asked about anyway."""
    if isinstance(answer, Rejected):
        return answer
    if isinstance(answer, DeliveryHint):
        if not of_type(answer.delivery_id, str, "delivery.delivery_id"):
            raise Protocol("delivery.delivery_id is empty")
        known = answer.remote_id is not None and bool(of_type(answer.remote_id, str, "delivery.remote_id"))
        return attrs.evolve(answer, reason=str(answer.reason), remote_id=answer.remote_id if known else None)
    event = of_type(answer, DeliveryEvent, "delivery")
    for name in ("delivery_id", "remote_id"):
        if not of_type(getattr(event, name), str, f"delivery.{name}"):
            raise Protocol(f"delivery.{name} is empty")
    return attrs.evolve(event, observation=_sensible(event.observation))


def checked_view(answer: object, asked: Mapping[str, Handle]) -> View:
    """A view of the jobs that were asked about; an invalid part about one job fails only that job."""
    view = of_type(answer, View, "view")
    observations: dict[str, Observation] = {}
    failed = {key: kept(str(reason)) for key, reason in view.failed.items() if key in asked}
    for key in [key for key in view.observations if key in asked]:  # in an order of its own: events follow it
        try:
            observations[key] = checked_observation(view.observations[key])
        except Protocol as error:
            failed[key] = str(error)
    absent = frozenset(view.absent) & asked.keys() - observations.keys()
    return View(observations, absent, failed, bool(view.complete))


def checked_observation(answer: object) -> Observation:
    """An observation whose fields have their types: aware UTC times, finite amounts, JSON objects."""
    seen = of_type(answer, Observation, "observation")
    of_type(seen.phase, Phase, "observation.phase")
    of_type(seen.raw_status, str, "observation.raw_status")
    changed = {}
    for name, check in _FIELDS.items():
        value = getattr(seen, name)
        if value is not None and (taken := check(value, f"observation.{name}")) is not value:
            changed[name] = taken
    return attrs.evolve(seen, **changed) if changed else seen


def _sensible(answer: object) -> Observation | None:
    try:
        return None if answer is None else checked_observation(answer)
    except Protocol:
        return None


def _utc(value: object, what: str) -> datetime:
    if not (isinstance(value, datetime) and value.utcoffset() == timedelta(0)):
        raise Protocol(f"{what} is {value!r:.200}, not a time in UTC")
    return value


def _text(value: object, what: str) -> str:
    """Written down as UTF-8, together with what is said of other jobs."""
    return kept(of_type(value, str, what))[:LONGEST_TEXT]


def _status(value: object, what: str) -> int | None:
    """An exit status; None for a number that no program can end with, because no database accepts every number."""
    return number if -LARGEST_STATUS <= (number := of_type(value, int, what)) <= LARGEST_STATUS else None


def _amount(value: object, what: str) -> float:
    if (found := amount(value)) is None:
        raise Protocol(f"{what} is {value!r}, not a number from 0")
    return found


def _devices(value: object, what: str) -> tuple[str, ...] | None:
    names = tuple(kept(of_type(name, str, what))[:LONGEST_NAME] for name in _sequence(value, what)[:MOST_DEVICES])
    return names or None


def _sequence(answer: object, what: str) -> Sequence[Any]:
    if not isinstance(answer, Sequence) or isinstance(answer, (str, bytes)):
        raise Protocol(f"{what} are {type(answer).__name__}, not a sequence")
    return answer


def of_type(answer: object, cls: type[T], what: str) -> T:
    """``answer``, which must be a ``cls``."""
    if not isinstance(answer, cls):
        raise Protocol(f"{what} is {answer!r:.200}, not {cls.__name__}")
    return answer


def _kept(answer: object, what: str) -> dict[str, Any]:
    """What a job reported. If it is too large, a note about it instead, so that the job's end is recorded all the
    same.
    """
    if isinstance(answer, Mapping) and not is_shallow(answer):
        return {"not_kept": f"nested more than {DEEPEST} levels deep"}
    plain = checked_object(answer, what)
    written = orjson.dumps(plain)  # where numbers that are not finite are null
    size = len(written)
    return (
        orjson.loads(written)
        if size <= LARGEST_OBJECT
        else {"not_kept": f"{size} bytes of JSON, more than {LARGEST_OBJECT}"}
    )


def _series(answer: object, what: str) -> Snapshot:
    """Series as :class:`~actors.jobs.series.SeriesBook` makes them, within their maxima."""
    found = of_type(answer, Snapshot, what)
    if len(found.series) > MOST_NAMES or any(len(one.packed) > 16 * MOST_POINTS for one in found.series):
        raise Protocol(f"{what}: more than {MOST_NAMES} series, or one of more than {MOST_POINTS} points")
    return found


def checked_object(answer: object, what: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(answer, Mapping):
        raise Protocol(f"{what} is {answer!r:.200}, not an object")
    plain = dict(answer)
    with explained_as(Protocol, f"{what} holds what JSON cannot", TypeError):
        orjson.dumps(plain)
    return plain


_FIELDS: Mapping[str, Callable[[object, str], Any]] = {
    **dict.fromkeys(("seen_at", "started_at", "completed_at"), _utc),
    **dict.fromkeys(("raw_status", "error", "output_url", "waiting_reason"), _text),
    **dict.fromkeys(("exit_code", "signal"), _status),
    **dict.fromkeys(("cost_usd", "compute_seconds"), _amount),
    **dict.fromkeys(("progress", "result"), _kept),
    "series": _series,
    "devices": _devices,
}
"""How each field of an observation, if it is not None, is checked and converted."""
