"""How long the calls of a provider may take."""

from __future__ import annotations

import attrs
from attrs.validators import gt


@attrs.frozen
class CallDeadlines:
    """How long each call may take, in seconds. A watch has none: it runs until cancelled.

    ``page``: what ``observe`` may take longer for each page of jobs after the first.
    """

    check: float = attrs.field(default=15.0, validator=gt(0))
    submit: float = attrs.field(default=60.0, validator=gt(0))
    find: float = attrs.field(default=30.0, validator=gt(0))
    observe: float = attrs.field(default=20.0, validator=gt(0))
    page: float = attrs.field(default=1.0, validator=gt(0))
    cancel: float = attrs.field(default=30.0, validator=gt(0))
    logs: float = attrs.field(default=30.0, validator=gt(0))
    delivery_secrets: float = attrs.field(default=15.0, validator=gt(0))
    forget: float = attrs.field(default=30.0, validator=gt(0))
    aclose: float = attrs.field(default=5.0, validator=gt(0))
