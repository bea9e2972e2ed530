"""Checks that show whether a provider does what every provider must do.

::

    @asynccontextmanager
    async def harness():
        yield Harness(provider, quick, long, failing, wait_change=lambda: trio.sleep(1))

    @pytest.mark.parametrize("check", provider_conformance(harness), ids=str)
    async def test_conformance(check):
        await check()

A check raises :class:`AssertionError` where a promise is broken. Where the provider's capabilities say that it cannot
do something, this is not checked. Nothing here needs pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from actors.providers.errors import ProviderError
from actors.testing.provider_harness import Harness
from actors.testing.provider_promises import PROMISES, Promise

__all__ = ["PATIENCE", "Harness", "NamedCheck", "provider_conformance"]

#: How long a check may take, in trio's seconds: many waits of a real provider, an instant of virtual time.
PATIENCE = 120.0

MakeHarness = Callable[[], AbstractAsyncContextManager[Harness]]


@attrs.frozen
class NamedCheck:
    """One promise together with a provider.

    Call it to run the check, with a fresh harness each time; ``str`` gives its name.
    """

    promise: Promise
    make: MakeHarness

    async def __call__(self) -> None:
        """Run the check.

        Raises :class:`AssertionError` that says what is missing, also when something did not happen within
        :data:`PATIENCE`. An exception of the provider itself gets a note that names the promise.
        """
        waits_for: list[str] = []
        try:
            with trio.fail_after(PATIENCE):
                async with self.make() as harness:
                    waits_for = harness.waits_for
                    waiting = self.promise(harness)
                    if waiting is not None:
                        await waiting
        except trio.TooSlowError as error:
            words = waits_for[0] if waits_for else "one call of the provider"
            raise AssertionError(f"{self}: waited {PATIENCE:g} s for {words}") from error
        except (AssertionError, AttributeError, LookupError, ProviderError, TypeError) as error:
            error.add_note(f"the promise {self}: {' '.join((self.promise.__doc__ or '').split())}")
            raise

    def __str__(self) -> str:
        return self.promise.__name__


def provider_conformance(make: MakeHarness) -> list[NamedCheck]:
    """Return every check, for the provider that ``make`` opens."""
    return [NamedCheck(promise, make) for promise in PROMISES]
