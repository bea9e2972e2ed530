"""The correlation ID of a job, where only a provider's own record of the job says it.

What a provider does beside the calls about one job (a look at many jobs, a copy of results that is made later) runs
under the ID of a cycle or of a task. Lines and requests about a single job then take the ID from the record (A14).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from logconf import bind_correlation_id
from logconf.correlation import is_correlation_id


def trail_of(correlation_id: object) -> AbstractContextManager[object]:
    """Bind the ID for the block, if it is one: a job, or an older version, may have written something else."""
    if isinstance(correlation_id, str) and is_correlation_id(correlation_id):
        return bind_correlation_id(correlation_id)
    return nullcontext()
