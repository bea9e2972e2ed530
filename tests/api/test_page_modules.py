"""Modules of the page that only compute: points of series, states of a job, tables of a group. Run by node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from actors.api.pages import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node: apt-get install nodejs, as .ci/run does")
WITH_DOM = "globalThis.document = { documentElement: {} };"


def run(tmp_path: Path, module: str, expression: str) -> Any:
    """The value of ``expression``, in which ``it`` is a module of the page."""
    shutil.copytree(STATIC / "js", tmp_path / "js", dirs_exist_ok=True)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    script = f'{WITH_DOM}\nconst it = await import("./js/{module}");\nconsole.log(JSON.stringify({expression}));'
    (tmp_path / "test.js").write_text(script)
    assert NODE is not None
    done = subprocess.run([NODE, "test.js"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_step_back_begins_a_segment_and_a_gap_stays_one(tmp_path: Path) -> None:
    points = [[1, 5], [2, 4], [3, None], [4, 2], [4, None], [2, 9], [3, 8]]
    found = run(tmp_path, "points.js", f"it.segmentsOf({json.dumps(points)})")
    assert found == [[[1, 2, 3, 4], [5, 4, None, 2]], [[2, 3], [9, 8]]]


def test_lines_of_different_steps_share_one_x(tmp_path: Path) -> None:
    """Where a line has no point it has no value, which is no gap: ``null`` is one."""
    lines = [{"xs": [1, 3], "ys": [10, None]}, {"xs": [2, 3], "ys": [20, 30]}]
    found = run(tmp_path, "points.js", f"it.aligned({json.dumps(lines)}).map((one) => one.map((y) => y ?? String(y)))")
    assert found == [[1, 2, 3], [10, "undefined", "null"], ["undefined", 20, 30]]


def test_smoothing_is_unbiased_at_the_beginning_and_keeps_gaps(tmp_path: Path) -> None:
    assert run(tmp_path, "points.js", "it.smoothed([4, 4, null, 4], 0.9)") == [4, 4, None, pytest.approx(4)]
    assert run(tmp_path, "points.js", "it.smoothed([1, 3], 0.5)") == [1, pytest.approx(7 / 3)]
    assert run(tmp_path, "points.js", "it.smoothed([1, 3], 0)") == [1, 3]


def test_series_of_one_measure_share_a_plot(tmp_path: Path) -> None:
    names = ["train.loss", "eval.loss", "lr", "eval.accuracy"]
    assert run(tmp_path, "points.js", f"it.byMeasure({json.dumps(names)})") == [
        {"title": "loss", "names": ["train.loss", "eval.loss"]},
        {"title": "lr", "names": ["lr"]},
        {"title": "eval.accuracy", "names": ["eval.accuracy"]},
    ]


def test_of_many_points_some_are_chosen_evenly_with_both_ends(tmp_path: Path) -> None:
    found = run(tmp_path, "points.js", "it.some([...Array(1000).keys()], 5)")
    assert found == [0, 250, 500, 749, 999]


def event(second: int, type_: str, status: str | None = None) -> dict[str, Any]:
    return {"type": type_, "time": f"2024-01-01T00:00:{second:02}Z", "status": status}


def test_a_job_has_the_states_of_its_events(tmp_path: Path) -> None:
    """Approved, handed over, run, interrupted, run again, ended; what comes after the end changes nothing."""
    events = [
        event(0, "job_queued", "pending"), event(0, "approval_requested", "pending"),
        event(5, "approval_granted", "pending"), event(6, "job_dispatched", "uploading"),
        event(7, "job_status_changed", "running"), event(8, "job_progress", "running"),
        event(20, "job_rerun", "pending"), event(30, "job_dispatched", "uploading"),
        event(31, "job_status_changed", "running"), event(40, "job_status_changed", "failed"),
        event(41, "job_cancel_requested", "failed"),
    ]  # fmt: skip
    found = run(tmp_path, "timeline.js", f"it.phasesOf({json.dumps(events)})")
    assert [(one["word"], (one["to"] - one["from"]) / 1000) for one in found] == [
        ("waits", 0), ("waits for approval", 5), ("waits", 1), ("is handed over", 1), ("runs", 13),
        ("waits to run again", 10), ("is handed over", 1), ("runs", 9), ("failed", 0),
    ]  # fmt: skip
    running = run(tmp_path, "timeline.js", f"it.phasesOf({json.dumps(events[:6])}).at(-1)")
    assert (running["word"], running["to"]) == ("runs", None)


def compared(name: str, lr: Any, best: float | None, status: str = "completed") -> dict[str, Any]:
    metrics = {"loss": {"last": best, "best": best}, "speed": {"last": 1.5, "best": None}}
    return {"job_id": name, "name": name, "status": status, "parameters": {"lr": lr}, "metrics": metrics}


JOBS = [compared("a", "0.1", 0.5), compared("b", "10", None, "failed"), compared("c", "2", 0.25), compared("d", "x", 3)]


def in_group(tmp_path: Path, expression: str) -> Any:
    made = f"((jobs, columns) => {expression})({json.dumps(JOBS)}, it.columnsOf({json.dumps(JOBS)}, {{loss: 'min'}}))"
    return run(tmp_path, "comparison.js", made)


def test_a_group_is_sorted_by_numbers_then_texts_and_what_has_none_is_last(tmp_path: Path) -> None:
    labels = ["Job", "State", "lr", "loss, least", "loss, last", "speed"]
    assert in_group(tmp_path, "columns.map((one) => one.label)") == labels
    sort = "it.sorted(jobs, columns[{}], '{}').map((job) => job.name).join('')"
    assert in_group(tmp_path, sort.format(2, "asc")) == "acbd"
    assert in_group(tmp_path, sort.format(3, "asc")) == "cadb"
    assert in_group(tmp_path, sort.format(3, "desc")) == "dacb"


def test_the_best_of_a_column_is_known_where_it_has_a_goal(tmp_path: Path) -> None:
    assert in_group(tmp_path, "it.bestOf(jobs, columns)") == {"best loss": "c"}


@pytest.mark.parametrize(("text", "left"), [("lr=0.1", "a"), ("failed", "b"), ("", "abcd"), ("completed lr=2", "c")])
def test_jobs_of_a_group_are_filtered_by_words(tmp_path: Path, text: str, left: str) -> None:
    found = in_group(tmp_path, f"it.fitting(jobs, columns, {json.dumps(text)}).map((job) => job.name).join('')")
    assert found == left


def test_a_file_of_comma_separated_values_is_read_back(tmp_path: Path) -> None:
    """And a name that a spreadsheet would take for a formula is a text there; numbers stay numbers."""
    rows = [["name", 'a "quoted", one\nof two lines'], ["=1+1", -2.5], [None, "@x"]]
    text = run(tmp_path, "csv.js", f"it.csvOf({json.dumps(rows)})")
    assert text == 'name,"a ""quoted"", one\nof two lines"\r\n\'=1+1,-2.5\r\n,\'@x\r\n'


def test_an_address_gives_the_filter_back_and_unknown_parts_are_left_out(tmp_path: Path) -> None:
    address = "state=failed&user=ana&name=lr-*&sort=ended&order=asc&since=2024-01-01T00:00:00.000Z&strange=1"
    filter_ = f"it.filterOf(new URLSearchParams({json.dumps(address)}))"
    again = run(tmp_path, "job_filters.js", f"it.addressOf({filter_})")
    assert again.startswith("#/jobs?")
    assert "strange" not in again
    same = f"it.filterOf(new URLSearchParams({json.dumps(again.partition('?')[2])}))"
    assert run(tmp_path, "job_filters.js", same) == run(tmp_path, "job_filters.js", filter_)
    query = run(tmp_path, "job_filters.js", f"String(it.queryOf({filter_}))")
    assert query == "status=failed&name=lr-*&user_id=ana&since=2024-01-01T00%3A00%3A00.000Z&sort=ended&order=asc"
    assert (
        run(tmp_path, "job_filters.js", "it.addressOf(it.filterOf(new URLSearchParams('sort=evil&state=x')))")
        == "#/jobs"
    )


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1, "b": {"c": "***", "d": [1]}}, {"a": 1, "b": {"c": "***", "d": [1, 2]}}, {"b": {"d": [1, 2]}}),
        ({"a": 1, "b": 2}, {"b": 2}, {"a": None}), ({"a": {}}, {"a": {}}, None), ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({}, {"a": {"b": 1}}, {"a": {"b": 1}}), ({"a": 1}, [1], [1]),
    ],
)  # fmt: skip
def test_a_patch_has_only_what_differs(tmp_path: Path, before: Any, after: Any, patch: Any) -> None:
    """So what is not shown (``***``) is not sent."""
    found = run(tmp_path, "spec_part.js", f"it.patchOf({json.dumps(before)}, {json.dumps(after)}) ?? null")
    assert found == patch


def test_events_that_arrive_together_are_delivered_in_order_over_several_tasks(tmp_path: Path) -> None:
    """Each call of the clock takes 3 ms here, a slice 8 ms: none of them delivers all, and each comes once."""
    expression = """(() => {
      const [tasks, got, slices] = [[], [], []];
      let now = 0;
      globalThis.performance = { now: () => (now += 3) };
      globalThis.setTimeout = (task) => tasks.push(task);
      globalThis.clearTimeout = () => {};
      globalThis.window = globalThis.document = { addEventListener: () => {}, hidden: false };
      const live = new it.Live({ onEvent: (event) => got.push(event.seq), onGap: () => {}, onState: () => {} });
      live.check = () => {};
      live.last = 0;
      for (const seq of [1, 2, 2, 3, 1, 4, 5, 6, 7, 8]) live.take({ data: JSON.stringify({ seq }), lastEventId: String(seq) });
      const at_once = got.length;
      while (tasks.length) { tasks.shift()(); slices.push(got.length); }
      return [at_once, got, slices.filter((length, at) => length !== slices[at - 1]).length > 1];
    })()"""  # noqa: E501 - a script
    assert run(tmp_path, "live.js", expression) == [0, [1, 2, 3, 4, 5, 6, 7, 8], True]
