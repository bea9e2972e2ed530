"""What the poller is to look at next: kept beside its mailbox, where no burst can push anything out."""

from __future__ import annotations

import attrs

from actors.jobs.records import Event

HANDED_OVER = "job_handed_over"

WAKES = frozenset(
    {HANDED_OVER, "job_cancel_requested", "job_outcome_unknown", "job_settled", "provider_resumed"}
)  # fmt: skip
"""Events after which the poller looks at once, the beat beside."""


class PollNow:
    """The message that says: take what is wanted. One that waits says it for all."""


@attrs.frozen
class Batch:
    """``everything``: what is unsettled or to be cancelled. ``handed``: of these jobs the rows. ``told``: of these,
    by provider, what the provider says of them.
    """

    everything: bool
    handed: frozenset[str]
    told: dict[str, frozenset[str]]


class PollRequests:
    """Jobs that somebody wants looked at, by the keys of their hand-overs; each once, however often it was named.

    A message may be absorbed by one of its kind that waits, and a full mailbox drops it: so none of them says what to
    look at, this does. It lives as long as the runtime, and holds no more than there are jobs at providers.
    """

    def __init__(self) -> None:
        self._everything = False
        self._handed: set[str] = set()
        self._told: dict[str, set[str]] = {}

    def note(self, event: Event) -> bool:
        """Whether ``event`` is a wake for the poller; what it asks for is noted."""
        if event.type not in WAKES:
            return False
        if event.type == HANDED_OVER:
            self._handed.add(event.data["submission"])
        else:
            self._everything = True
        return True

    def recheck(self, provider: str, key: str) -> None:
        """Want a job asked about: a delivery told of it, or its output has ended."""
        self._told.setdefault(provider, set()).add(key)

    def take(self) -> Batch:
        """All that was wanted until now, once."""
        wish = Batch(
            self._everything, frozenset(self._handed), {name: frozenset(keys) for name, keys in self._told.items()}
        )
        self._everything, self._handed, self._told = False, set(), {}
        return wish
