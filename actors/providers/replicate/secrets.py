"""Finds the secrets that sign deliveries: in the environment, or by asking the account and remembering the answer."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import attrs
import trio

from actors.providers.errors import Auth, ProviderError
from actors.providers.replicate.api import ReplicateApi
from logconf import register_secret

ASK_AGAIN = 60.0
"""Seconds between two requests for the secret: unsigned deliveries must not cause one each."""

FAILED_AGAIN = 10.0
"""Seconds for which a question that failed is not asked again, for the same reason; shorter than a sender waits."""


@attrs.define
class Secrets:
    """The secrets of one account. ``variable``: the environment variable with them; None: the account is asked."""

    _api: ReplicateApi
    _variable: str | None
    _known: tuple[str, ...] = ()
    _asked_at: float = -math.inf
    _failed_at: float = -math.inf
    _failure: str = ""
    _turn: trio.Lock = attrs.field(factory=trio.Lock)

    async def get(self, *, fresh: bool) -> Sequence[str]:
        """Return all secrets that may be in use. Raises :class:`Auth` if the variable is empty, and the error of the
        request.
        """
        if self._variable is not None:
            await trio.lowlevel.checkpoint()
            return self._configured(self._variable)
        if self._known and not fresh:  # what anybody's forged delivery makes us ask delays nobody
            await trio.lowlevel.checkpoint()
            return self._known
        async with self._turn:
            if self._known and not (fresh and trio.current_time() - self._asked_at >= ASK_AGAIN):
                return self._known
            if trio.current_time() - self._failed_at < FAILED_AGAIN:
                raise ProviderError(self._failure)
            try:
                secret = await self._api.secret()
            except ProviderError as error:
                self._failed_at, self._failure = trio.current_time(), str(error)
                raise
            self._asked_at = trio.current_time()
            register_secret(secret)
            # The one before is good for what is on its way.
            self._known = (secret, *(one for one in self._known[:1] if one != secret))
            return self._known

    def _configured(self, variable: str) -> tuple[str, ...]:
        secrets = tuple(os.environ.get(variable, "").split())
        if not secrets:
            raise Auth(
                f"no signing secret in ${variable} (providers.{self._api.name}.webhook_secret_env), which is not set"
            )
        for secret in secrets:
            register_secret(secret)
        return secrets
