"""What can go wrong between a client and Replicate, as rules: which requests are hit, how often, and what happens."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

import attrs

#: More than any correct answer; it is made while it is sent, so that no test holds all of it.
HUGE = 64 * 1024 * 1024


class FaultKind(StrEnum):
    """What happens to a request."""

    SERVER_ERROR = "server_error"  # 500
    RATE_LIMITED = "rate_limited"  # 429, see Form
    UNAUTHORIZED = "unauthorized"  # 401, as for a revoked token
    REFUSED = "refused"  # no server listens: nothing reaches it
    HANG = "hang"  # never answers
    LOST_ANSWER = "lost_answer"  # the connection closes without an answer
    CUT_BODY = "cut_body"  # the connection closes in the middle of the body
    DRIP = "drip"  # one byte of the body every ``seconds``
    GARBAGE = "garbage"  # 200, and a page of HTML
    UNKNOWN_STATUS = "unknown_status"  # a status that is in no table
    HUGE_BODY = "huge_body"  # ``size`` bytes of valid JSON
    REDIRECT = "redirect"  # 307 to another origin


class Form(StrEnum):
    """Where a 429 says how long to wait: in ``Retry-After``, in its body, in ``ratelimit-reset``, or nowhere."""

    HEADER = "header"
    BODY = "body"
    RESET = "reset"
    NOTHING = "nothing"


_ACT_FIRST = frozenset(FaultKind) - {
    FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED, FaultKind.UNAUTHORIZED, FaultKind.REFUSED, FaultKind.REDIRECT,
}  # fmt: skip
_SPOILS = frozenset({FaultKind.CUT_BODY, FaultKind.DRIP, FaultKind.UNKNOWN_STATUS, FaultKind.HUGE_BODY})


@attrs.frozen
class Fault:
    """One rule. It hits ``times`` requests (None: all) of ``method`` to ``path``, after the first ``skip`` of them.

    ``method`` and ``path`` are shell patterns; the path is without its query. ``acts``: whether the server does what it
    was asked before the fault happens; None: as is usual for the kind (a 500 does nothing, a lost answer does it).
    ``seconds``: the wait that a 429 asks for, and the pause between the bytes of a drip. ``size``: the bytes of a huge
    body. Raises :class:`ValueError` if nothing is to be done, although the kind changes an answer.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    skip: int = 0
    acts: bool | None = None
    seconds: float = 5.0
    form: Form = Form.HEADER
    size: int = HUGE

    def __attrs_post_init__(self) -> None:
        if self.acts is False and self.kind in _SPOILS:
            raise ValueError(f"acts: {self.kind} spoils an answer, so there must be one")

    def strikes(self, method: str, path: str) -> bool:
        """Return whether the rule is for such requests."""
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)

    @property
    def acts_first(self) -> bool:
        """Whether the server does its work before the fault happens."""
        return self.kind in _ACT_FIRST if self.acts is None else self.acts
