"""The last hand-over of a job is that of its last attempt, whatever the wall clock said."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from actors.jobs.records import Submission, SubmissionState
from actors.store import dialect, submissions
from actors.store.schema import metadata

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def test_the_last_attempt_is_the_last_though_the_clock_was_put_back_before_it():
    engine = dialect.open_engine(None)
    with ExitStack() as ending, engine.connect() as connection:
        ending.callback(engine.dispose)
        metadata.create_all(connection)
        for attempt in (2, 9, 10, 11):
            began = START - timedelta(hours=attempt)
            state = SubmissionState.INTENT if attempt == 11 else SubmissionState.CLOSED
            submissions.put(connection, [Submission("job", f"job-{attempt}", "token", state, began)])
        newest = submissions.newest(connection, "job")
        assert newest is not None
        assert newest.key == "job-11"
        assert submissions.of_jobs(connection, ["job"])["job"].key == "job-11"
