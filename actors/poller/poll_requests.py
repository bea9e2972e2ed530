"""What the poller is to look at next: kept outside its mailbox, so that no burst of messages can drop any of it."""

from __future__ import annotations

import attrs

from actors.jobs.events import Concern, EventType, concerning
from actors.jobs.records import Event

_WAKES = concerning(Concern.PROVIDERS)
"""Events after which the poller looks at once, in addition to the beat."""


class PollNow:
    """The message to take the requests. One that already waits in the mailbox is enough for all."""


@attrs.frozen
class Batch:
    """Requests taken together.

    ``everything``: look at all jobs that are unsettled or to be cancelled. ``rows``: look at the rows of these
    submissions. ``observe``: for each provider, the submissions whose status is to be requested.
    """

    everything: bool
    rows: frozenset[str]
    observe: dict[str, frozenset[str]]


class PollRequests:
    """Submissions that are to be looked at, by their keys; each once, however often it was named.

    A message may be merged with a waiting one of its kind, and a full mailbox drops it: so what to look at is kept here
    and not in messages. This object lives as long as the runtime, and holds at most the jobs that are at providers.
    """

    def __init__(self) -> None:
        self._everything = False
        self._rows: dict[str, str] = {}
        self._observe: dict[str, set[str]] = {}

    def note(self, event: Event) -> bool:
        """Whether ``event`` wakes the poller; what it makes necessary is noted.

        A job that has ended meanwhile has nothing that is to be settled or cancelled.
        """
        if event.type not in _WAKES:
            if event.is_end:
                self._rows.pop(event.job_id or "", None)
            return False
        if event.type == EventType.JOB_HANDED_OVER:
            self._rows[event.job_id or ""] = event.data["submission"]
        else:
            self._everything = True
        return True

    def recheck(self, provider: str, key: str) -> None:
        """Request a job's status from its provider: a delivery named it, or its output has ended."""
        self._observe.setdefault(provider, set()).add(key)

    def take(self) -> Batch:
        """All requests until now, once."""
        observe = {name: frozenset(keys) for name, keys in self._observe.items()}
        batch = Batch(self._everything, frozenset(self._rows.values()), observe)
        self._everything, self._rows, self._observe = False, {}, {}
        return batch
