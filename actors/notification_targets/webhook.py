"""Sends a notification as a request to a URL, signed as in Standard Webhooks (https://www.standardwebhooks.com).

The id is the same at each try; the time in the signature is that of the try. Redirects are not followed, and only the
beginning of an answer is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import trio

from actors.http_client import get_async_client
from actors.jobs.durations import seconds_between
from actors.jobs.home_directory import expanded
from actors.jobs.notifications import Outcome
from actors.jobs.notify_options import NotificationTarget
from actors.providers.samples import sample
from logconf import register_secret

SECONDS = 10.0
"""How many seconds a whole exchange may take."""
_READ = 2_048
"""How many bytes of an answer are read at most. They are used for the reason of a failure only."""
_PREFIX = "whsec_"
_LONGEST_SECRETS = 64 << 10
_AGAIN = frozenset({408, 429})
"""The statuses from 400 to 499 after which another try may succeed."""
_GONE = 410
_SHORTEST, _LONG = 8, 16
"""Characters: shorter texts of an address are not masked, because words of ours may be equal; a segment of the path
that is long is masked by itself.
"""
_HTTPX_LOGGER = logging.getLogger("httpx")
_sends: ContextVar[bool] = ContextVar("sends_a_notification", default=False)


class SecretProblem(Exception):
    """The secrets of a target cannot be read; the message says why."""


def open_client() -> httpx.AsyncClient:
    """Open the HTTP client that one notifier uses for all its targets.

    It has no common limit of connections, because targets would wait for each other; each has its own (``AT_ONCE``).
    """
    _HTTPX_LOGGER.addFilter(_is_shown)  # the same one again is not added twice
    return get_async_client(timeout=SECONDS, limits=httpx.Limits(max_connections=None, max_keepalive_connections=20))


def _is_shown(_: logging.LogRecord) -> bool:
    """Whether a line of httpx is shown: it has the whole address, which is secret where a notification is sent."""
    return not _sends.get()


async def post(
    client: httpx.AsyncClient, target: NotificationTarget, message_id: str, content: bytes, media: str, now: datetime
) -> Outcome:
    """Send ``content`` once. Any status from 200 to 299 means that it was delivered."""
    assert target.url is not None
    hide_address(target.url)
    sends = _sends.set(True)
    try:
        with trio.move_on_after(SECONDS):
            secrets = await read_secrets(target)
            headers = {"content-type": media, "user-agent": "greenroom", **signed(secrets, message_id, content, now)}
            async with client.stream("POST", target.url, content=content, headers=headers) as answer:
                return Outcome() if answer.is_success else _failure(answer, await _words(answer), now)
    except SecretProblem as problem:
        return Outcome(str(problem))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Outcome(f"{_what(error)}: {sample(str(error))}".removesuffix(": "))
    finally:
        _sends.reset(sends)
    return Outcome(f"no answer within {SECONDS:g} s")


def hide_address(url: str) -> None:
    """Mask the secret parts of a target's address from now on: many servers repeat its path in their answers."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    for text in (url, path, parts.path, parts.query, *(one for one in parts.path.split("/") if len(one) >= _LONG)):
        if len(text) >= _SHORTEST:
            register_secret(text)


def signed(secrets: Sequence[bytes], message_id: str, content: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks.

    They have one signature for each secret, so that a new secret can be introduced.
    """
    seconds = str(int(now.timestamp()))
    headers = {"webhook-id": message_id, "webhook-timestamp": seconds}
    text = b".".join((message_id.encode(), seconds.encode(), content))
    made = [base64.b64encode(hmac.digest(one, text, hashlib.sha256)).decode() for one in secrets]
    return {**headers, "webhook-signature": " ".join(f"v1,{one}" for one in made)} if made else headers


async def read_secrets(target: NotificationTarget) -> list[bytes]:
    """Return the keys that sign what goes to ``target``; an empty result where the target names no secret.

    They are read at each try, so that the file can be replaced. Raises :class:`SecretProblem`.
    """
    if target.secret_env is not None:
        text, where = os.environ.get(target.secret_env, ""), f"the variable {target.secret_env} (secret_env)"
    elif target.secret_file is not None:
        text, where = await _content(expanded(target.secret_file).as_posix()), "secret_file"
    else:
        return []
    keys = [_key(one, where) for one in text.split()]
    if not keys:
        raise SecretProblem(f"{where} holds no secret")
    return keys


async def _content(path: str) -> str:
    def read() -> bytes:
        # Of a pipe nothing is read, and nobody waits for its writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return file.read(_LONGEST_SECRETS) or b""

    try:
        found = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
    except OSError as error:
        raise SecretProblem(f"secret_file cannot be read: {error.strerror}") from None
    return found.decode("utf-8", "replace")


def _key(secret: str, where: str) -> bytes:
    register_secret(secret)
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise SecretProblem(f"{where} must hold {_PREFIX} and base64, as Standard Webhooks has it")
    return key


async def _words(answer: httpx.Response) -> str:
    """Return what a failed answer says about itself, where that is short and not compressed."""
    length = answer.headers.get("content-length", "")
    if not length.isdecimal() or len(length) > 5 or int(length) > _READ or "content-encoding" in answer.headers:
        return ""
    return sample(await answer.aread())


def _failure(answer: httpx.Response, words: str, now: datetime) -> Outcome:
    status = answer.status_code
    text = f"answered {status}{f': {words}' if words else ''}"
    if answer.is_redirect:
        text = f"answered {status}: redirects are not followed, give the address it leads to"
    final = answer.is_client_error and status not in _AGAIN
    return Outcome(text, final=final, disables=status == _GONE, retry_after=_retry_after(answer.headers, now))


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that the target asks for, as a number or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, seconds_between(now, moment)) if moment.tzinfo is not None else None


def _what(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "cannot be reached"
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    return f"the exchange failed ({type(error).__name__})"
