"""The settings of a scripted provider; the defaults are good for a first try."""

from __future__ import annotations

import attrs

from actors.jobs.quantities import Bytes, Seconds
from actors.jobs.records import Capacity
from actors.providers.base import Capabilities, Idempotency, Listing, Push
from actors.providers.scripted.faults import IS_SECONDS, Fault
from actors.providers.scripted.script import Script
from actors.validation.values import OR_MORE


@attrs.frozen
class ScriptedOptions:
    """A provider that simulates jobs, for tests and for trying things out.

    ``cpus``, ``gpus``, ``memory``: its capacity; None: unbounded. ``duration``: how long a job runs if its ``spec``
    does not say so. ``queue_time``: how long a job waits at the provider before it runs. ``cancel_time``: how long a
    cancel takes. ``idempotency``: how the provider recognises a submission that it has seen before. ``listing``: how it
    lists jobs. ``page_size``: jobs on one page. ``push``: how it reports ends. ``concurrent_calls``: calls that it
    takes at the same time. ``faults``: faults that hit the calls of every job.
    """

    cpus: int | None = attrs.field(default=None, validator=OR_MORE)
    gpus: int | None = attrs.field(default=None, validator=OR_MORE)
    memory: Bytes | None = attrs.field(default=None, validator=OR_MORE)
    duration: Seconds = attrs.field(default=1.0, validator=IS_SECONDS)
    queue_time: Seconds = attrs.field(default=0.0, validator=IS_SECONDS)
    cancel_time: Seconds = attrs.field(default=1.0, validator=IS_SECONDS)
    idempotency: Idempotency = Idempotency.CLIENT_ID
    listing: Listing = Listing.ALL
    page_size: int = attrs.field(default=100, validator=attrs.validators.ge(1))
    push: Push = Push.LOCAL_EVENT
    concurrent_calls: int = attrs.field(default=4, validator=attrs.validators.ge(1))
    faults: tuple[Fault, ...] = ()

    def capacity(self) -> Capacity:
        """How much there is of each resource."""
        return Capacity(self.cpus, self.gpus, self.memory)

    def capabilities(self, *, survives_our_restart: bool) -> Capabilities:
        """What a provider with these options can do."""
        return Capabilities(
            submit_idempotency=self.idempotency,
            listing=self.listing,
            page_size=self.page_size,
            push=self.push,
            survives_our_restart=survives_our_restart,
            deadline_grace=self.queue_time,
            concurrent_calls=self.concurrent_calls,
        )

    def script_defaults(self) -> dict[str, float]:
        """The fields of a :class:`Script` that are used where a job's ``spec`` does not give them."""
        return {"duration": self.duration, "queue_time": self.queue_time, "cancel_time": self.cancel_time}


assert ScriptedOptions().script_defaults().keys() <= attrs.fields_dict(Script).keys()
