"""Whatever is read, the only refusal is the one that lists faults."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.job_requests.job_file import JobFile, load_job_file, parse_set
from actors.job_requests.job_request import request_from_mapping
from actors.jobs.records import JobRequest
from actors.settings import Settings, SettingsError
from actors.validation import CheckedError

WORDS = [
    "background:", "job_status_polling:", "interval_seconds: ", "enabled: ", "limits:", "per_provider: ", "total: ",
    "approvals:", "rules:", "name: ", "condition: ", "value: ", "exempt_levels: ", "providers:", "local:", "kind: ",
    "scripted", "memory: ", "gpus: ", "faults: ", "entry_points:", "command: ", "params: ", "pattern: ", "default: ",
    "jobs:", "defaults:", "env: ", "resources: ", "level: ", "cwd: ", "spec: ", "state_dir: ", "webhook_url: ",
    "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "- ", "{", "}", "[", "]", ", ", ": ", "? ", "&a ", "*a", "<<: ", "!!int ",
    "!x ", '"', "'", "| ", ">-\n", "---\n", "...\n", "%YAML 1.2\n", "%TAG ! x\n", "\t", "#", "\\", '"\\U00110000"',
    "no", "010", "1_0", "1e999", "-1", "9" * 30, "~", "true", ".nan", "12:30", "{epochs}", "^($", "cost_exceeds",
    "config_pattern", "é", "\ufeff", "\x00", "\x85", "\u2028", "\ud7ff", "🜁",
]  # fmt: skip
yaml_like = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.just(5000).map(lambda digits: 10**digits),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = [
    "command",
    "env",
    "resources",
    "spec",
    "params",
    "user_levels",
    "cwd",
    "cpus",
    "memory",
    "max_runtime",
    "entry_point",
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "app.yaml"


@settings(deadline=None)
@given(content=st.binary(max_size=200) | yaml_like.map(str.encode))
@example(content=b"[" * 5000)
@example(content=b"{a: " * 5000)
@example(content=b"- " * 5000)
@example(content=b"? " * 5000)
@example(content=b'a: "\\ud800"')
@example(content=b"%YAML 1.99999999999999999999\n--- {}")
@example(content=b"limits: &a {total: *a, <<: *a}")
def test_a_file_is_settings_or_faults(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    faults = faults_of(path)
    assert all(fault.startswith(str(path)) and "\n" not in fault for fault in faults)


def faults_of(path: Path) -> list[str]:
    try:
        Settings.load(path, environ={}, cwd=path.parent, home=path.parent)
    except SettingsError as error:
        return [str(fault) for fault in error.faults] or ["an error without a fault"]
    return []


@settings(deadline=None)
@given(content=st.binary(max_size=200) | yaml_like.map(lambda text: f"jobs:{text}".encode()))
def test_a_job_file_is_jobs_or_faults(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(CheckedError):
        assert isinstance(load_job_file(path, environ={}), JobFile)


@settings(deadline=None)
@given(data=plain | st.dictionaries(st.sampled_from(FIELDS), plain))
def test_any_data_is_a_request_or_faults(data: Any) -> None:
    with suppress(CheckedError):
        assert isinstance(request_from_mapping(data), JobRequest)


@settings(deadline=None)
@given(
    texts=st.lists(
        st.text(st.characters(codec=None)) | st.sampled_from(["a=1", "a.b=2", "a.b.c=no", "a='x'"]), max_size=6
    )
)
def test_any_assignments_are_data_or_faults(texts: list[str]) -> None:
    with suppress(CheckedError):
        assert isinstance(parse_set(texts), dict)


@settings(deadline=None)
@given(variable=st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_variable_is_a_number_or_a_warning(variable: str) -> None:
    loaded = Settings.default(Path("/x"), environ={"SIMPLETUNER_JOB_POLL_INTERVAL": variable})
    assert loaded.background.job_status_polling.interval_seconds > 0
    assert not loaded.notes or loaded.background.job_status_polling.interval_seconds == 30
