"""Every duration and size of the settings is read by the one reader (E5): a key that is forgotten fails here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest
import yaml

from actors.jobs.quantities import Duration, Size, without_unit
from actors.jobs.records import ApprovalRule
from actors.providers.breaker import BreakerOptions
from actors.providers.entry_points import EntryPoint
from actors.providers.registry import factory, kinds
from actors.settings import Settings, SettingsError
from actors.settings.effective import effective
from actors.settings.sections import Sections

COUNTS = {
    "limits.total", "limits.per_user", "limits.per_organisation", "limits.per_team",
    "limits.per_provider_per_user", "queue.max_waiting_per_user",
    "http.port", "http.requests_per_minute", "http.max_connections", "http.max_per_address", "http.max_streams",
    "http.max_streams_per_token", "feed.port", "feed.max_connections", "feed.max_per_address", "feed.max_per_user",
    "circuit_breaker.failures", "circuit_breaker.successes", "circuit_breaker.half_open_calls",
    "notify.per_minute", "cpus", "gpus", "page_size", "concurrent", "concurrent_calls", "usd_per_second",
    "faults.times", "faults.skip",
}  # fmt: skip
"""Numbers that are neither durations nor sizes: a new setting stands here, or has a type of jobs.quantities."""


def fields_of(kind: type[Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each field of a class of options, of those inside it too, with its type."""
    hints = get_type_hints(kind, include_extras=True)
    for one in attrs.fields(kind):
        inner = [
            arg for arg in (hints[one.name], *get_args(hints[one.name])) if isinstance(arg, type) and attrs.has(arg)
        ]
        for each in inner:
            if each not in (EntryPoint, ApprovalRule):
                yield from fields_of(each, (*path, one.name))
        if not inner:
            yield (*path, one.name), hints[one.name]


def every_setting() -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """The provider's kind (or nothing), the path and the type of each setting."""
    for path, hint in fields_of(Sections):
        if path[0] != "providers":
            yield "", path, hint
    for kind in kinds():
        for path, hint in fields_of(factory(kind).options_class):
            yield kind, path, hint
        for path, hint in fields_of(BreakerOptions, ("circuit_breaker",)):
            yield kind, path, hint


def marks(hint: Any) -> list[Any]:
    """The marks of quantities in a type."""
    own = [one for one in get_args(hint) if isinstance(one, Duration | Size)]
    return own + [mark for arg in get_args(hint) for mark in marks(arg)]


def is_number(hint: Any) -> bool:
    """Whether a value of this type, or of an arm of its union, is a number."""
    return hint in (int, float) or (get_origin(hint) in (Union, UnionType) and any(map(is_number, get_args(hint))))


QUANTITIES = [(kind, path, marks(hint)[0]) for kind, path, hint in every_setting() if marks(hint)]


def document(kind: str, path: tuple[str, ...], value: Any) -> str:
    """A configuration with this one setting."""
    whole: Any = [{"kind": "down", path[-1]: value}] if path[0] == "faults" else value
    if path[0] == "faults":
        whole = {"faults": whole}
    else:
        for key in reversed(path):
            whole = {key: whole}
    return yaml.safe_dump({"providers": {kind: whole}} if kind else whole)


def load(tmp_path: Path, text: str) -> Settings:
    """The settings of a file with this text."""
    file = tmp_path / "greenroom.yaml"
    file.write_text(text)
    file.chmod(0o600)
    return Settings.load(file, environ={}, home=tmp_path)


def value_of(settings: Settings, kind: str, path: tuple[str, ...]) -> Any:
    """What holds for a path."""
    found: Any = settings
    if kind:
        provider = settings.providers[kind]
        found = provider if path[0] == "circuit_breaker" else provider.options
    for step in path:
        found = getattr(found, step)
        found = found[0] if step == "faults" else found
    return found


def test_every_number_is_a_duration_a_size_or_a_listed_count() -> None:
    forgotten = [
        f"{kind} {'.'.join(path)}" for kind, path, hint in every_setting()
        if is_number(hint) and not marks(hint) and ".".join(path) not in COUNTS
    ]  # fmt: skip
    assert forgotten == []
    assert len(QUANTITIES) > 25


@pytest.mark.parametrize(
    ("kind", "path", "mark"), QUANTITIES, ids=[f"{kind}-{'.'.join(path)}" for kind, path, _ in QUANTITIES]
)
def test_every_setting_that_is_a_duration_or_size_is_read_by_the_one_reader(
    tmp_path: Path, kind: str, path: tuple[str, ...], mark: Duration | Size
) -> None:
    cases: Mapping[Any, float] = (
        {1073741824: 2**30, "1073741824": 2**30, "8GiB": 2**33, "8GB": 8 * 10**9}
        if isinstance(mark, Size)
        else {90: 90, "90": 90, "90s": 90 / mark.unit, "15m": 900 / mark.unit, "1d12h": 129_600 / mark.unit,
              "1.5h": 5400 / mark.unit}
    )  # fmt: skip
    for written, meant in cases.items():
        assert value_of(load(tmp_path, document(kind, path, written)), kind, path) == pytest.approx(meant), written
    for refused in ("8G",) if isinstance(mark, Size) else ("1h90", "90 parsecs"):
        with pytest.raises(SettingsError, match=rf"greenroom.yaml:\d+:\d+: \S*{path[-1]}: must be ") as error:
            load(tmp_path, document(kind, path, refused))
        assert len(error.value.faults) == 1
    short = without_unit(path[-1])
    if isinstance(mark, Duration) and short is not None:
        for written, seconds in ((90, 90), ("15m", 900)):
            found = load(tmp_path, document(kind, (*path[:-1], short), written))
            assert value_of(found, kind, path) == pytest.approx(seconds / mark.unit)


def test_a_key_with_and_without_its_unit_is_one_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="timeout: stands beside timeout_hours; keep one of the two"):
        load(tmp_path, "approvals: {timeout: 2h, timeout_hours: 2}")
    with pytest.raises(SettingsError, match=r"1:13: approvals.timeout: must be a duration .* not '1h90'"):
        load(tmp_path, "approvals: {timeout: 1h90}")
    with pytest.raises(SettingsError, match=r"approvals.timeout: must be more than 0, not 0"):
        load(tmp_path, "approvals: {timeout: 0}")
    with pytest.raises(SettingsError, match="did you mean timeout"):
        load(tmp_path, "approvals: {timout: 2h}")
    rows = effective(load(tmp_path, "approvals: {timeout: 2h}"), {})
    assert [row.source for row in rows if row.key == "approvals.timeout_hours"] == [f"{tmp_path}/greenroom.yaml:1:13"]


@pytest.mark.parametrize("variable", ["SIMPLETUNER_JOB_POLL_INTERVAL", "SIMPLETUNER_APPROVAL_CHECK_INTERVAL"])
def test_variables_are_read_by_it_too(tmp_path: Path, variable: str) -> None:
    settings = Settings.load(environ={variable: "2m"}, home=tmp_path, cwd=tmp_path, system=tmp_path)
    found = settings.background.job_status_polling, settings.background.approval_expiration
    assert 120 in {one.interval_seconds for one in found}
    wrong = Settings.load(environ={variable: "1h90"}, home=tmp_path, cwd=tmp_path, system=tmp_path)
    expected = (
        "must be a duration such as 90s, 15m, 2h or 1d12h, not '1h90': 90 has no unit; write 1h90m: it is ignored"
    )
    assert [note.message for note in wrong.notes] == [f"{variable} {expected}"]
