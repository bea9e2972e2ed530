"""Operations on the series of jobs: the numbers that they reported over time."""

from __future__ import annotations

from collections.abc import Mapping

from actors.control.context import Context
from actors.jobs import maxima
from actors.jobs.comparing import Compared, Curve, Goal
from actors.jobs.pages import Page
from actors.jobs.series import MOST_POINTS
from actors.ledger import series
from actors.ledger.page_request import PageRequest


class Series:
    """The series of one runtime's jobs. ``best``: by name, whether the least or the greatest value is the best."""

    def __init__(self, context: Context, best: Mapping[str, Goal]) -> None:
        self._ledger = context.ledger
        self._best = best

    async def of_job(self, job_id: str, points: int = MOST_POINTS) -> tuple[str, dict[str, Curve]]:
        """The id of a job, and its series by name, with at most ``points`` (8 or more) points each.

        Raises :class:`Refused` if there is no such job.
        """
        return await self._ledger.read(series.of_job, job_id, points)

    async def compare(
        self, group: str, user_id: str, *, limit: int = maxima.ROWS, cursor: str | None = None, caller: str = ""
    ) -> Page[Compared]:
        """The jobs of a group of ``user_id``, the oldest first, in pages like those of :meth:`Jobs.page`.

        Raises :class:`Refused` if there are none.
        """
        request = PageRequest(limit, cursor, caller)
        return await self._ledger.read(series.comparison, request, user_id, group, self._best)
