"""A job of a file is known by its content: lines may be added, moved, and defaults written out (E2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.job_requests.job_file import load_job_file
from actors.jobs.records import JobRequest
from actors.jobs.sweeps import Sweep

Keys = Callable[..., list[str]]


def keys_of(path: Path, content: dict[str, Any]) -> list[str]:
    """The keys of all jobs of a file, those of a matrix in the order of its combinations."""
    path.write_bytes(orjson.dumps(content))
    found: list[str] = []
    for one in load_job_file(path, user="ana", environ={"PATH": "/bin"}).requests:
        found += one.keys if isinstance(one, Sweep) else [str(one.idempotency_key)]
    return found


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return lambda *jobs, **top: keys_of(tmp_path / "jobs.yaml", {"jobs": list(jobs), **top})


TRAIN: dict[str, Any] = {"name": "train", "command": ["python", "train.py"]}
SWEEP = {"name": "t-{lr}", "command": ["t", "{lr}"], "matrix": {"lr": ["0.1", "0.2"]}}


def test_equal_jobs_have_keys_of_their_own(keys: Keys) -> None:
    first, second, third = keys(TRAIN, TRAIN, {**TRAIN, "name": "x"})
    assert len({first, second, third}) == 3
    assert keys({**TRAIN, "name": "x"}, TRAIN, TRAIN) == [third, first, second]
    assert len(first) == 64


def test_equal_jobs_of_two_users_can_change_their_order(keys: Keys) -> None:
    """A key is a user's own, so what is another's neither counts nor changes it."""
    ana, bob = {**TRAIN, "user": "ana"}, {**TRAIN, "user": "bob"}
    assert keys(ana, bob) == keys(bob, ana) == keys(ana) + keys(bob)
    waits = {"command": ["report"], "user": "ana", "after": {"group": "g"}}
    alone = keys({**ana, "group": "g"}, waits)[-1]
    assert keys({**ana, "group": "g"}, {**bob, "group": "g"}, waits)[-1] == alone


def test_a_file_is_the_same_from_every_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    keys = keys_of(tmp_path / "jobs.yaml", {"jobs": [TRAIN]})
    monkeypatch.chdir(tmp_path / "sub")
    (request,) = load_job_file("../jobs.yaml", user="ana", environ={}).requests
    assert isinstance(request, JobRequest)
    assert [request.idempotency_key] == keys
    assert request.cwd == str(tmp_path)


def test_a_file_is_known_by_its_path_or_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    here, there = tmp_path / "jobs.yaml", tmp_path / "x" / "other.yaml"
    unnamed, named, other = ({"jobs": [TRAIN], **top} for top in ({}, {"name": "a"}, {"name": "b"}))
    assert keys_of(here, unnamed) != keys_of(there, unnamed)
    assert keys_of(here, named) == keys_of(there, named) != keys_of(here, other)
    assert keys_of(here, named) != keys_of(here, unnamed)


@pytest.mark.parametrize(
    "defaults",
    [
        {"provider": "local"}, {"resources": {"cpus": 1}}, {"resources": {"cpus": 1, "gpus": 0}}, {"env": {}},
        {"cwd": "."}, {"cwd": "./"}, {"priority": 40}, {"user": "ana"}, {"org": "lab"}, {"level": "lead"},
        {"cost": 5}, {"max_runtime": 60}, {"max_attempts": 5}, {"needs_approval": "why"}, {"env_from": ["HOME"]},
        {"notify": ["chat"]}, {"after": []}, {"after_mode": "ok"},
    ],
)  # fmt: skip
def test_what_is_a_default_or_no_content_changes_no_key(keys: Keys, defaults: dict[str, Any]) -> None:
    """Written out in the job, or once for all in the defaults."""
    plain = keys(TRAIN, SWEEP)
    assert keys({**TRAIN, **defaults}, {**SWEEP, **defaults}) == plain
    assert keys(TRAIN, SWEEP, defaults=defaults) == plain


@pytest.mark.parametrize(
    "other",
    [
        {"name": "other"}, {"command": ["python", "other.py"]}, {"cwd": "x"}, {"env": {"A": "1"}}, {"spec": {"a": 1}},
        {"resources": {"gpus": 1}}, {"group": "g"}, {"provider": "sim"}, {"after": ["x"]}, {"start_after": "22:00"},
    ],
)  # fmt: skip
def test_another_content_is_another_job(keys: Keys, other: dict[str, Any]) -> None:
    assert keys({**TRAIN, **other}) != keys(TRAIN)
    assert keys({"entry_point": "a", "params": {"x": 1}}) != keys({"entry_point": "a", "params": {"x": 2}})


def test_a_value_added_to_a_matrix_is_one_new_job(keys: Keys) -> None:
    """At whichever end; also where the names are numbers, which are given anew."""
    for name in ("t-{lr}", "t"):
        first, second = keys({**SWEEP, "name": name})
        wider = keys({**SWEEP, "name": name, "matrix": {"lr": ["0.05", "0.1", "0.15", "0.2"]}})
        assert (wider[1], wider[3]) == (first, second)
        assert len(set(wider)) == 4


def test_a_matrix_and_its_jobs_written_out_are_the_same_jobs(keys: Keys) -> None:
    single = [{"name": f"t-{lr}", "command": ["t", lr]} for lr in ("0.1", "0.2")]
    assert keys(SWEEP) == keys(*single)
    assert keys({**SWEEP, "matrix": {"lr": {"from": "0.1", "to": "0.2", "step": "0.1"}}}) == keys(SWEEP)


@pytest.mark.parametrize("after", ["t-{lr}", "t-0.2", {"group": "g"}])
def test_who_waits_for_another_job_is_another_job(keys: Keys, after: Any) -> None:
    """Changed by what it waits for, and by nothing else in the file."""
    sweep = {**SWEEP, "group": "g"}
    best = {"command": ["best"], "after": [after]}
    before = keys(sweep, best)
    assert keys(TRAIN, sweep, TRAIN, best)[-1] == before[-1]
    changed = keys({**sweep, "command": ["u", "{lr}"]}, best)
    assert not set(changed) & set(before)


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """A job of a file, with a matrix or without."""
    job: dict[str, Any] = {"command": ["run", draw(st.sampled_from("ab"))]}
    if draw(st.booleans()):
        job["name"] = draw(st.sampled_from(["n", "n-{p}" if draw(st.booleans()) else "m"]))
    if "{p}" in job.get("name", "") or draw(st.booleans()):
        job["matrix"] = {"p": draw(st.lists(st.sampled_from("1234"), min_size=1, unique=True))}
        job["command"].append("{p}")
    return job


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(jobs(), min_size=1, max_size=5), st.lists(jobs(), max_size=3), st.randoms(use_true_random=False))
def test_lines_that_are_added_or_moved_change_no_key(
    tmp_path: Path, before: list[dict[str, Any]], more: list[dict[str, Any]], mixed: Any
) -> None:
    path = tmp_path / "jobs.yaml"
    kept = keys_of(path, {"jobs": before})
    assert len(kept) == len(set(kept))
    after = [*before, *more]
    mixed.shuffle(after)
    assert set(kept) <= set(keys_of(path, {"jobs": after}))
