"""Sends a notification as a request to a URL, signed as in Standard Webhooks (https://www.standardwebhooks.com).

The id is the same at each try; the time in the signature is that of the try. Redirects are not followed, and only the
beginning of an answer is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import datetime

import httpx
import trio

from actors.http_client import get_async_client
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


class SecretProblem(Exception):
    """The secrets of a target cannot be read; the message says why."""


def open_client() -> httpx.AsyncClient:
    """Open the HTTP client that one notifier uses for all its targets."""
    return get_async_client(timeout=SECONDS)


async def post(
    client: httpx.AsyncClient, target: NotificationTarget, message_id: str, content: bytes, media: str, now: datetime
) -> Outcome:
    """Send ``content`` once. Any status from 200 to 299 means that it was delivered."""
    assert target.url is not None
    try:
        secrets = await read_secrets(target)
    except SecretProblem as problem:
        return Outcome(str(problem))
    headers = {"content-type": media, "user-agent": "greenroom", **signed(secrets, message_id, content, now)}
    with trio.move_on_after(SECONDS):
        try:
            async with client.stream("POST", target.url, content=content, headers=headers) as answer:
                return Outcome() if answer.is_success else _failure(answer, await _words(answer))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Outcome(f"{_what(error)}: {sample(str(error))}".removesuffix(": "))
    return Outcome(f"no answer within {SECONDS:g} s")


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
        text, where = await _content(target.secret_file.expanduser().as_posix()), "secret_file"
    else:
        return []
    keys = [_key(one, where) for one in text.split()]
    if not keys:
        raise SecretProblem(f"{where} holds no secret")
    return keys


async def _content(path: str) -> str:
    try:
        async with await trio.open_file(path, "rb") as file:
            found = await file.read(_LONGEST_SECRETS)
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


def _failure(answer: httpx.Response, words: str) -> Outcome:
    status = answer.status_code
    text = f"answered {status}{f': {words}' if words else ''}"
    if answer.is_redirect:
        text = f"answered {status}: redirects are not followed, give the address it leads to"
    final = answer.is_client_error and status not in _AGAIN
    return Outcome(text, final=final, disables=status == _GONE, retry_after=_retry_after(answer.headers))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _what(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "cannot be reached"
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    return f"the exchange failed ({type(error).__name__})"
