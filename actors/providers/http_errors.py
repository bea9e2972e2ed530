"""The meaning of failed HTTP exchanges: the only place where status codes and broken connections become kinds of
:class:`~actors.providers.errors.ProviderError`.

The question is whether the request may have taken effect. For a request that is safe to repeat it does not matter; for
any other the outcome is unknown from the moment its first byte may have been sent until a status below 500 has come
back.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from actors.jobs.durations import seconds_between
from actors.providers import errors
from actors.providers.json_reading import amount, amount_in, json_object
from actors.providers.samples import sample

# Raised before a byte of the request was on its way.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

_KINDS: Mapping[int, type[errors.ProviderError]] = {
    **dict.fromkeys((400, 413, 422), errors.Invalid),
    **dict.fromkeys((402, 403), errors.Forbidden),
    **dict.fromkeys((404, 410), errors.NotFound),
    409: errors.Conflict,
}


def broken(who: str, error: httpx.HTTPError, *, unsent: bool, repeatable: bool) -> errors.ProviderError:
    """The error for a connection that failed. ``unsent``: it is known that nothing of the request was sent."""
    what = sample(str(error)) or type(error).__name__
    if isinstance(error, httpx.DecodingError):
        return errors.Protocol(f"{who} sent what cannot be decoded: {what}")
    if unsent or isinstance(error, _NEVER_SENT):
        return errors.Unavailable(f"{who} cannot be reached: {what}{_advice(error)}")
    if repeatable:
        return errors.Unavailable(f"{who} did not answer: {what}", reached=True)
    return errors.OutcomeUnknown(f"{who} was asked and its answer was lost: {what}")


def late(who: str, seconds: float, *, unsent: bool, repeatable: bool) -> errors.ProviderError:
    """The error for an answer that was not complete within ``seconds``."""
    if unsent:
        return errors.Unavailable(f"{who} could not be connected to within {seconds:g} s")
    text = f"{who} did not answer whole within {seconds:g} s"
    return errors.Unavailable(text, reached=True) if repeatable else errors.OutcomeUnknown(text)


def refused(
    who: str, status: int, headers: Mapping[str, str], body: bytes, *, repeatable: bool, now: datetime
) -> errors.ProviderError:
    """The error for an answer with another status than 2xx. ``body`` may be cut."""
    said = _said(body)
    text = f"{who} answered {status}{': ' + said if said else ''}"
    if status == 429:
        return errors.RateLimited(text, retry_after(headers, body, now))
    if status in _KINDS:
        return _KINDS[status](text)
    if 300 <= status < 400:
        return errors.Protocol(f"{who} answered {status}, a redirect{_to(headers)}; it was not followed")
    if status >= 500 or status == 408:
        if repeatable:
            return errors.Unavailable(text, retry_after(headers, b"", now), reached=True)
        return errors.OutcomeUnknown(text)
    return errors.ProviderError(text) if 400 <= status < 500 else errors.Protocol(text)


def retry_after(headers: Mapping[str, str], body: bytes, now: datetime) -> float | None:
    """Seconds that were asked for: by ``Retry-After`` (seconds or date), the body's ``retry_after`` or
    ``ratelimit-reset``, in that order; None where nothing can be understood.

    A date counts from the answer's own ``Date``, from ``now`` where it has none: our clock may be another one.
    """
    now = date_of(headers.get("date")) or now
    for said in (_moment(headers.get("retry-after"), now), _amount(_object(body).get("retry_after"))):
        if said is not None:
            return said
    return _amount(headers.get("ratelimit-reset"))


def _said(body: bytes) -> str:
    """A problem's own words (RFC 9457), else the beginning of the body."""
    problem = _object(body)
    words = [problem[name] for name in ("detail", "title", "error", "message") if isinstance(problem.get(name), str)]
    return sample(words[0] if words else body)


def _object(body: bytes) -> dict[str, Any]:
    return json_object(body) or {}


def _moment(text: str | None, now: datetime) -> float | None:
    if text is not None and (seconds := amount_in(text)) is not None:
        return seconds
    then = date_of(text)
    return None if then is None else seconds_between(now, then)


def date_of(text: str | None) -> datetime | None:
    """A header's date; None for whatever is none."""
    try:
        moment = parsedate_to_datetime(text) if text is not None else None
    except (ValueError, OverflowError):
        return None
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _amount(value: object) -> float | None:
    return amount_in(value) if isinstance(value, str) else amount(value)


def _to(headers: Mapping[str, str]) -> str:
    try:
        host = httpx.URL(headers.get("location", "")).host
    except httpx.InvalidURL:
        return ""
    return f" to {sample(host)}" if host else ""


def _advice(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "; SIMPLETUNER_CA_BUNDLE names a file of other certificate authorities"
        cause = cause.__cause__ or cause.__context__
    return ""
