"""Which jobs are selected: named one by one, or all that match filters, among those for which the action is
possible.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import Connection

from actors.jobs.refusal import RefusalKind, Refused
from actors.jobs.selections import MOST, Action, Selection
from actors.jobs.suggestions import suggestion
from actors.jobs.views import Viewer
from actors.ledger import naming
from actors.store import jobs, names, restored
from actors.store.names import Called

_RECENT = 300
_ALL = 1_000_000
"""Jobs among which the uncertain ones are looked for."""


@attrs.frozen
class Chosen:
    """The jobs of a selection; ``left_out``: how many more fit, but were submitted again before."""

    jobs: Sequence[Called]
    left_out: int = 0


def choose(connection: Connection, selection: Selection, action: Action, viewer: Viewer) -> Chosen:
    """The jobs of ``selection`` that ``viewer`` sees, each once, in the order of ``action``.

    For a cancel the newest comes first, because otherwise those behind a cancelled job would start; else the oldest
    comes first. Jobs that are named are taken as they are, whether or not the action is possible. Of others, those that
    have a retry are not retried once more. Raises :class:`Refused` for an empty or too large selection, and for jobs
    that the viewer may not see.
    """
    selection.check()
    if selection.jobs:
        return Chosen(_named(connection, selection.jobs, viewer))
    statuses = action.statuses & frozenset(selection.statuses or action.statuses)
    if viewer.only_own and selection.user_id not in (None, viewer.user_id):
        raise Refused("user_id: a user other than you needs level lead", RefusalKind.FORBIDDEN, "user_id")
    user_id = viewer.user_id if viewer.only_own else selection.user_id
    found = []
    most = _ALL if action is Action.SETTLE else MOST + 1
    if statuses:
        found = jobs.choose(
            connection, most, statuses=tuple(sorted(statuses)), user_id=user_id, name=selection.name,
            group=selection.group,
        )  # fmt: skip
    if action is Action.SETTLE and found:
        open_ = {*jobs.uncertain(connection), *restored.all_to_look_up(connection)}
        found = [one for one in found if one.job_id in open_]
    if len(found) > MOST:
        raise Refused(f"more than {MOST} jobs fit {selection.in_words()}; narrow it", RefusalKind.INVALID)
    fitting = len(found)
    if action is Action.RETRY and found:
        again = names.newest_retries(connection, [one.job_id for one in found], viewer.user_id)
        found = [one for one in found if one.job_id not in again]  # another person's retry is a job of that person's
    left_out = fitting - len(found)
    if not found:
        message = f"no job that can be {action.done} fits {selection.in_words()}"
        if left_out:
            raise Refused(f"{message}; {left_out} left out: submitted again before", RefusalKind.NOT_FOUND)
        raise Refused(f"{message}{_instead(connection, selection, user_id)}", RefusalKind.NOT_FOUND)
    return Chosen(found if action is Action.CANCEL else found[::-1], left_out)


def _named(connection: Connection, texts: tuple[str, ...], viewer: Viewer) -> list[Called]:
    exact = names.of_ids(connection, dict.fromkeys(texts))
    found: dict[str, Called] = {}
    for text in texts:
        one = exact.get(text)
        if one is None or not viewer.sees(one.user_id):
            one = naming.find(connection, text, viewer).job
        found[one.job_id] = one
    return list(found.values())


def _instead(connection: Connection, selection: Selection, user_id: str | None) -> str:
    """A suggestion of the name or the group that was meant, from the newest jobs."""
    if selection.group is not None:
        return suggestion(
            selection.group, sorted(names.recent_groups(connection, user_id, _RECENT) - {selection.group})
        )
    if selection.name is not None:
        return suggestion(selection.name, sorted(names.recent_names(connection, user_id, _RECENT) - {selection.name}))
    return ""
