"""What the poller must look at next. It is kept outside its mailbox, so that no burst of messages can drop any of
it.
"""

from __future__ import annotations

import attrs

from actors.jobs.events import Concern, EventType, concerning
from actors.jobs.records import Event

_WAKES = concerning(Concern.PROVIDERS)
"""Types of events after which the poller looks at once, in addition to the interval."""


class PollNow:
    """The message to take the requests. One in the mailbox is enough for all."""


@attrs.define
class Batch:
    """Requests that are taken together.

    ``everything``: look at all jobs that are to be settled or cancelled. ``rows``: look at the rows of these jobs'
    submissions (submission by job). ``observe``: by provider, the submissions whose status is to be requested.
    """

    everything: bool = False
    rows: dict[str, str] = attrs.field(factory=dict)
    observe: dict[str, set[str]] = attrs.field(factory=dict)


class PollRequests:
    """Submissions that are to be looked at, by their keys; each once, however often it was named.

    A message may be merged with a waiting one of its kind, and a full mailbox drops it: so what to look at is kept here
    and not in messages. This object lives as long as the runtime, and holds at most the jobs that are at providers.
    """

    def __init__(self) -> None:
        self._next = Batch()

    def note(self, event: Event) -> bool:
        """Whether ``event`` wakes the poller; what it makes necessary is noted.

        A job that has ended meanwhile has nothing that is to be settled or cancelled.
        """
        if event.type not in _WAKES:
            if event.is_end:
                self._next.rows.pop(event.job_id or "", None)
            return False
        if event.type == EventType.JOB_HANDED_OVER:
            self._next.rows[event.job_id or ""] = event.data["submission"]
        else:
            self._next.everything = True
        return True

    def recheck(self, provider: str, key: str) -> None:
        """Request a job's status from its provider: a delivery named it, or its output has ended."""
        self._next.observe.setdefault(provider, set()).add(key)

    def take(self) -> Batch:
        """All requests until now, once."""
        batch, self._next = self._next, Batch()
        return batch
