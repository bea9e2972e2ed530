"""What a provider does beside the call about one job stands under that job's correlation ID (A14)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.providers.local.directory import JobDirectory
from actors.providers.local.liveness import Look, Standing
from actors.providers.local.observing import observe
from actors.providers.local.outputs import Outputs
from actors.providers.local.progress import MAX_LINE
from actors.providers.trails import trail_of
from logconf import bind_correlation_id, get_correlation_id
from logconf.correlation import JOB_VARIABLE
from logconf.testing import capture_logs


def test_a_warning_about_a_job_that_is_observed_with_others_has_its_id(tmp_path: Path) -> None:
    directory = JobDirectory(tmp_path)
    directory.spec.write_text(json.dumps({"job_id": "job-1", "env": {JOB_VARIABLE: "of-the-job"}}))
    directory.progress.write_text("x" * (MAX_LINE + 1) + "\n")
    with bind_correlation_id("of-the-cycle"), capture_logs() as lines:
        observe(directory, Look(Standing.RUNNING), Outputs())
    assert [(line["extra"]["job_id"], line["correlation_id"]) for line in lines] == [("job-1", "of-the-job")]


@pytest.mark.parametrize("damaged", [None, 5, "", "two words", "x" * 200, {"a": 1}])
def test_a_record_without_a_valid_id_changes_nothing(damaged: object) -> None:
    with bind_correlation_id("of-the-cycle"), trail_of(damaged):
        assert get_correlation_id() == "of-the-cycle"
