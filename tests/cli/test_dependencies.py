"""Jobs that wait for others or for their time, from the shell (E3, E4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.parts

TRAIN = """
import json, os
open(os.path.join(os.environ["GREENROOM_OUTPUT_DIR"], "model"), "w").write("weights")
json.dump({"accuracy": 0.9}, open(os.environ["GREENROOM_RESULT_FILE"], "w"))
"""
CHECK = """
import json, os, sys
parents = json.load(open(os.environ["GREENROOM_PARENTS"]))
json.dump({"parents": parents, "home": os.environ["GREENROOM_HOME"]}, open(os.environ["GREENROOM_RESULT_FILE"], "w"))
sys.exit(open(os.path.join(parents[0]["output_dir"], "model")).read() != "weights")
"""


def test_a_chain_from_the_shell_the_last_reads_what_the_first_left(terminal: Any, supervisor: Any) -> None:
    train = terminal.json("submit", "--json", "--name", "train", "--", "python3", "-c", TRAIN)
    empty = terminal.json("submit", "--json", "--name", "empty", "--after", "train", "--", "true")
    words = ("--after", "train", "--after", empty["job_id"][-8:], "--", "python3", "-c", CHECK)
    check = terminal.json("submit", "--json", "--wait", "--name", "check", *words)
    assert check["status"] == "completed"
    told = {one["name"]: one for one in check["result"]["parents"]}
    assert told["train"]["result"] == {"accuracy": 0.9}
    assert told["train"] | {"output_dir": "", "result": ""} == {
        "job_id": train["job_id"], "name": "train", "status": "completed", "output_dir": "", "result": "",
    }  # fmt: skip
    assert told["empty"]["result"] is None
    assert told["empty"]["output_dir"].endswith("/output")
    assert check["result"]["home"] == str(terminal.home)
    assert "GREENROOM_PARENTS" not in json.dumps(terminal.json("show", "--json", train["job_id"])["result"])
    assert check["waits_for"]["number"] == 2
    dependants = terminal.json("show", "--json", train["job_id"])["dependants"]
    assert [one["name"] for one in dependants["jobs"]] == ["empty", "check"]


def test_a_job_waits_for_its_time_and_what_is_past_starts_at_once_with_a_note(terminal: Any, supervisor: Any) -> None:
    later = terminal.json("submit", "--json", "--start-after", "+2h", "--", "true")
    shown = terminal.json("show", "--json", later["job_id"])
    assert shown["reason"].startswith("starts at ")
    assert shown["start_after"] is not None
    past = terminal.type("submit", "--wait", "--start-after", "2020-01-01T00:00:00Z", "--", "true")
    assert past.returncode == 0
    assert "start_after 2020-01-01T00:00:00Z is past: it may start at once" in past.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--after", "nothing"), "after: there is no job 'nothing'"),
        (("--after", "group:none"), "has no group 'none'"),
        (("--start-after", "soon"), "start_after: must be an instant such as"),
        (("--start-after", "+400d"), "start_after: must be within a year"),
        (("--after-mode", "maybe"), "maybe"),
    ],
)
def test_what_cannot_be_waited_for_is_refused_in_a_sentence(
    terminal: Any, supervisor: Any, options: tuple[str, ...], why: str
) -> None:
    done = terminal.type("submit", *options, "--", "true")
    assert done.returncode in (1, 2)
    assert why in done.stderr
