"""The examples of docs/approvals.md: each table is submitted, in its order, under the configuration above it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import yaml
from trio.testing import MockClock

from actors.job_requests.job_file import load_job_file
from actors.jobs.options import ApprovalOptions
from actors.jobs.records import JobRequest
from actors.kernel import VirtualClock
from actors.providers.scripted import ScriptedProvider, ScriptedRemote
from actors.settings import Settings
from actors.testing import running_runtime, virtual_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "approvals.md").read_text()
Line = tuple[str, str, str]


def examples() -> Iterator[tuple[str, list[Line]]]:
    """Each configuration of the page with the table that follows it."""
    for found in re.finditer(r"```yaml\n(.*?)```\n\n\|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)+)", PAGE, re.DOTALL):
        lines = [re.fullmatch(r"\| `(.*?)` \| ?(.*?) \| ?(.*?) \|", line) for line in found[2].splitlines()]
        yield found[1], [(line[1], line[2].strip(), line[3].strip()) for line in lines if line is not None]


def options_of(configuration: str, folder: Path) -> ApprovalOptions:
    file = folder / "greenroom.yaml"
    file.write_text(configuration)
    return Settings.load(file, environ={}, home=folder).approvals


def request_of(job: str, folder: Path) -> JobRequest:
    """The request that a job of a file makes; which program it runs plays no part here."""
    file = folder / "jobs.yaml"
    file.write_text(yaml.safe_dump({"jobs": [{"command": ["true"], **yaml.safe_load(job)}]}))
    (request,) = load_job_file(file, user="ana", environ={}).requests
    assert isinstance(request, JobRequest)
    return attrs.evolve(request, provider="scripted", command=None, cwd=None, idempotency_key=None, spec={})


@pytest.mark.parametrize(("configuration", "lines"), list(examples()), ids=["by case", "by number", "default rules"])
async def test_the_rules_of_the_page_hold_what_it_says(
    autojump_clock: MockClock, tmp_path: Path, configuration: str, lines: list[Line]
) -> None:
    clock = VirtualClock()
    settings = virtual_settings(approvals=options_of(configuration, tmp_path))
    async with running_runtime(
        ScriptedProvider(remote=ScriptedRemote(clock.now)), settings=settings, clock=clock
    ) as runtime:
        for job, why, level in lines:
            accepted = await runtime.submit(request_of(job, tmp_path))
            waiting = {one.job_id: one for one in await runtime.approvals.page()}
            found = waiting.get(accepted.job_id)
            assert ("" if found is None else found.reason) == why, job
            assert ("" if found is None else found.required_level) == level, job


def test_every_example_of_the_page_is_found() -> None:
    assert len(list(examples())) == PAGE.count("```yaml") == 3
    assert sum(len(lines) for _, lines in examples()) == len(re.findall(r"^\| `\{", PAGE, re.MULTILINE)) == 14
