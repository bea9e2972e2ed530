"""What the poller is to look at next: kept beside its mailbox, where no burst of messages can push anything out."""

from __future__ import annotations

import attrs

from actors.jobs.events import Concern, EventType, concerning
from actors.jobs.records import Event

_WAKES = concerning(Concern.PROVIDERS)
"""Events after which the poller looks at once, the beat beside."""


class PollNow:
    """The message that says: take the requests. One that waits already stands for all."""


@attrs.frozen
class Batch:
    """Requests taken together.

    ``everything``: look at all jobs that are unsettled or to be cancelled. ``rows``: look at the rows of these
    submissions. ``observe``: for each provider, the submissions that it is to be asked about.
    """

    everything: bool
    rows: frozenset[str]
    observe: dict[str, frozenset[str]]


class PollRequests:
    """Submissions that are to be looked at, by their keys; each once, however often it was named.

    A message may be absorbed by one of its kind that waits, and a full mailbox drops it: so no message says what to
    look at, this does. It lives as long as the runtime, and holds no more than there are jobs at providers.
    """

    def __init__(self) -> None:
        self._everything = False
        self._rows: set[str] = set()
        self._observe: dict[str, set[str]] = {}

    def note(self, event: Event) -> bool:
        """Whether ``event`` is a wake for the poller; what it asks for is noted."""
        if event.type not in _WAKES:
            return False
        if event.type == EventType.JOB_HANDED_OVER:
            self._rows.add(event.data["submission"])
        else:
            self._everything = True
        return True

    def recheck(self, provider: str, key: str) -> None:
        """Have the provider asked about a job: a delivery named it, or its output has ended."""
        self._observe.setdefault(provider, set()).add(key)

    def take(self) -> Batch:
        """All requests until now, once."""
        observe = {name: frozenset(keys) for name, keys in self._observe.items()}
        batch = Batch(self._everything, frozenset(self._rows), observe)
        self._everything, self._rows, self._observe = False, set(), {}
        return batch
