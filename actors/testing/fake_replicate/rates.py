"""How often a client may ask: so many requests a minute, creations apart from everything else."""

from __future__ import annotations

from datetime import datetime

import attrs

CREATIONS_A_MINUTE = 600
OTHERS_A_MINUTE = 3000
_MINUTE = 60.0


@attrs.define
class Bucket:
    """``calls`` a minute, counted from the first call of each; None: as many as one likes."""

    calls: int | None
    since: datetime | None = None
    used: int = 0

    def take(self, now: datetime) -> tuple[bool, dict[str, str]]:
        """Whether one more request is allowed, and the headers that say what is left."""
        if self.calls is None:
            return True, {"ratelimit-remaining": "999999", "ratelimit-reset": "0"}
        if self.since is None or (now - self.since).total_seconds() >= _MINUTE:
            self.since, self.used = now, 0
        allowed = self.used < self.calls
        self.used += allowed
        left = _MINUTE - (now - self.since).total_seconds()
        return allowed, {
            "ratelimit-remaining": str(self.calls - self.used),
            "ratelimit-reset": str(max(1, round(left))),
        }
