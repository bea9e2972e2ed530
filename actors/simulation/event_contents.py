"""What an event says, beside the rows that were committed with it: once, at the moment of the event."""

from __future__ import annotations

from actors.jobs.records import Event
from actors.simulation.rules import Rule
from actors.simulation.states import CHANGES, ENDED
from actors.simulation.world import World

_JOB = "SELECT retry_of, user_id, error_message, status, provider FROM jobs WHERE job_id = ?"
_NUMBER = "SELECT count(*) FROM queue_entries WHERE user_id = ? AND status IN ('pending', 'blocked')"
_BACK_SINCE = "SELECT 1 FROM events WHERE seq > ? AND type IN ('job_requeued', 'job_rerun')"
_AGAIN_SINCE = "SELECT 1 FROM events WHERE job_id = ? AND seq > ? AND type IN ('job_rerun', 'job_requeued')"
_OTHERS_SINCE = "SELECT 1 FROM events WHERE seq > ? AND coalesce(job_id, '') != ?"
_FAILURES = (
    "SELECT g.provider, g.failures FROM provider_gates g JOIN jobs j ON j.provider = g.provider"
    " WHERE g.failures AND j.job_id = ?"
)
_NEW = ("job_queued", "approval_requested")


class EventContents:
    """The contents of the events of ``world``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._new: set[str] = set()

    def saw(self, event: Event) -> None:
        """An event was published."""
        for retry_of, user, error, status, provider in self._world.database.look(_JOB, (event.job_id,)):
            if event.type in _NEW and event.job_id not in self._new:
                self._is_new(event, retry_of, user)
            elif event.type == "job_handed_over":
                unseen = provider == "hooked"  # a delivery may say that it was lost, which is no proof
                ran_again = status == "uploading" and self._world.database.look(_AGAIN_SINCE, (event.job_id, event.seq))
                text = f"{event.job_id} was handed over, and is {status} after it"
                self._world.require(status != "uploading" or ran_again or unseen, Rule.SHOWN_AT_ONCE, text)
                self._failures_are_over(event)
            if event.type in CHANGES and event.data.get("status") in ENDED and status in ENDED:
                said = event.data.get("error_message")
                text = f"{event.type} of {event.job_id} says {said!r}, its row {error!r}"
                self._world.require(said == error, Rule.EVENT_CONTENTS, text)

    def _failures_are_over(self, event: Event) -> None:
        """A provider that accepts a job works again, unless something else has happened since."""
        if not self._world.database.look(_OTHERS_SINCE, (event.seq, event.job_id)):
            left = self._world.database.look(_FAILURES, (event.job_id,))
            self._world.require(not left, Rule.SHOWN_AT_ONCE, f"{left} failed, and have accepted {event.job_id} since")

    def _is_new(self, event: Event, retry_of: str | None, user: str) -> None:
        self._new.add(event.job_id or "")
        said = event.data.get("retry_of")
        text = f"{event.type} of {event.job_id} says that it repeats {said}, its row {retry_of}"
        self._world.require(said == retry_of, Rule.EVENT_CONTENTS, text)
        look, most = self._world.database.look, self._world.settings.queue.max_waiting_per_user
        if not look(_BACK_SINCE, (event.seq,)):  # what ran and waits again may be more than may be submitted
            ((number,),) = look(_NUMBER, (user,))
            self._world.require(number <= most, Rule.MOST_WAITING, f"{number} of {user} wait, at most {most} may")
