"""Who has which GPU, worked out by the page: it calls none free of which that is not certain. Run by node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_page_modules import pytestmark as needs_node
from tests.api.test_page_modules import run

pytestmark = needs_node
TWO = ["GPU-a", "GPU-b"]


def job(gpus: int, *devices: str) -> dict[str, Any]:
    return {"resources": {"gpus": gpus}, "devices": list(devices) or None}


@pytest.mark.parametrize(
    ("jobs", "in_use", "held", "words"),
    [
        ([], 0, [0, 0], "free"),
        ([job(1, "GPU-b")], 1, [0, 1], "free"),
        ([job(2, "GPU-a", "GPU-b")], 2, [1, 1], None),
        ([], 2, [0, 0], "held by a job that you do not see or that is starting"),
        ([job(1, "GPU-b")], 2, [0, 1], "held by a job that you do not see or that is starting"),
        ([job(2)], 2, [0, 0], "held; by which job is not reported yet"),
        ([job(1)], 1, [0, 0], "not known: of those without a job 1 is free"),
        ([], 1, [0, 0], "not known: of those without a job 1 is free"),
        ([], 5, [0, 0], "held by a job that you do not see or that is starting"),  # there were more GPUs once
        ([job(1, "GPU-gone")], 1, [0, 0], "free"),  # it has one that is no longer there
    ],
)
def test_a_gpu_is_called_free_only_if_that_is_certain(
    tmp_path: Path, jobs: list[Any], in_use: int, held: list[int], words: str | None
) -> None:
    rows = f"it.gpuRows({json.dumps(TWO)}, {json.dumps(jobs)}, {in_use})"
    found = run(tmp_path, "devices.js", f"[{rows}, it.withoutHolder({rows})]")
    assert [len(one["jobs"]) for one in found[0]["named"]] == held
    assert words in (None, found[1])
