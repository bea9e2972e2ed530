"""Who else is touched by a restart: the three strategies, as a pure function.

The rules are OTP's (Supervisor Principles, "Restart Strategy").
"""

from __future__ import annotations

from collections.abc import Iterable

from supervision.child import Child
from supervision.spec import Strategy


def touched(strategy: Strategy, children: Iterable[Child], failed: Child) -> list[Child]:
    """The siblings, in start order, that are stopped and started again with `failed`."""
    if strategy is Strategy.ONE_FOR_ONE:
        return []
    if strategy is Strategy.ONE_FOR_ALL:
        return [child for child in children if child is not failed]
    return [child for child in children if child.order > failed.order]
