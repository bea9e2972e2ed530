"""Texts from outside that mean something to what reads them: patterns, cursors, names of limits, expressions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import actors
from actors.jobs.approval_rules import compiled
from actors.jobs.refusal import Refused
from actors.ledger.limits import set_limit
from actors.store import dialect
from actors.store.schema import jobs


async def test_a_text_that_is_searched_for_is_no_pattern(edge: Any) -> None:
    """Of every search in the rows: what LIKE and GLOB would take for a pattern finds itself alone."""
    await edge.http.post("/api/queue/pause", json={})
    await edge.submit(config_name="plain")
    odd = (await edge.submit(config_name="50%_[a]*"))["job_id"]
    for part in ("%", "_", "[a]", "*", "50%_["):
        found = (await edge.http.get("/api/jobs", params={"q": part})).json()["jobs"]
        assert [one["job_id"] for one in found] == [odd], part
    found = (await edge.http.get("/api/jobs", params={"q": "PLAIN"})).json()["jobs"]
    assert len(found) == 1


@pytest.mark.parametrize("part", ["\0", "a\0", "%", "_", "?", "*", "[a-z]"])
@pytest.mark.parametrize("match", [dialect.begins_with, dialect.ends_with, dialect.holds])
async def test_no_part_matches_more_than_itself(edge: Any, match: Any, part: str) -> None:
    """A NUL, too, which ends a pattern for SQLite."""
    await edge.submit()

    def look(connection: Any) -> Any:
        return connection.execute(select(jobs.c.job_id).where(match(jobs.c.job_id, part))).all()

    assert await edge.runtime.ledger.read(look) == []


def test_patterns_are_made_nowhere_else() -> None:
    """LIKE and GLOB with outside texts: the helpers of the dialect take their place everywhere in the store.

    One of them takes patterns of names, which people mean as patterns.
    """
    pattern = re.compile(r"\.i?(like|contains|startswith|endswith|match)\(.*autoescape|\.i?like\(|regexp_match|GLOB")
    root = Path(actors.__file__).parent
    found = [
        f"{path.relative_to(root)}: {line.strip()}" for folder in ("store", "ledger", "access")
        for path in sorted((root / folder).rglob("*.py"))
        for line in path.read_text().splitlines() if pattern.search(line)
    ]  # fmt: skip
    assert found == ['store/dialect.py: return column.op("GLOB", is_comparison=True)(pattern)']


async def test_a_pattern_of_names_that_holds_a_nul_is_refused(edge: Any) -> None:
    """It would end there for SQLite."""
    refused = await edge.http.get("/api/jobs", params={"name": "a\0*"})
    assert (refused.status_code, refused.json()["field"]) == (422, "name")


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 30, "é", "%00", "1 ", "x" * 1001])
async def test_a_bad_log_cursor_is_bad_input(edge: Any, cursor: str) -> None:
    """However the output is read: 422 that names the cursor, never an answer that has begun, nor a fault of ours."""
    made = await edge.submit(spec={"duration": 0, "progress": 2})
    await edge.runtime.wait(made["job_id"])
    path = f"/api/jobs/{made['job_id']}/logs"
    for asked in ("?", "?limit=10&", "?follow=true&", "/stream?"):
        answered = await edge.http.get(f"{path}{asked}cursor={cursor}")
        assert (answered.status_code, answered.json()["field"]) == (422, "cursor"), asked
    resumed = await edge.http.get(f"{path}/stream", headers={"Last-Event-ID": cursor.encode()})
    assert resumed.status_code == 422
    with pytest.raises(Refused) as refused:
        async for _piece in edge.runtime.logs(made["job_id"], cursor.replace("%00", "\0")):
            pass
    assert refused.value.field == "cursor"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("per_provider.scriptd", "did you mean scripted?"),
        ("per_provider.", "there is no provider ''"),
        ("per_provider.scripted.x", "did you mean scripted?"),
        ("per_provider", "there is no limit"),
        ("totl", "did you mean total?"),
    ],
)
async def test_a_limit_of_nothing_is_refused_with_a_guess(edge: Any, name: str, words: str) -> None:
    refused = await edge.http.put(f"/api/queue/limits/{name}", json={"value": 1})
    assert (refused.status_code, words in refused.json()["detail"]) == (422, True), refused.text
    limits = (await edge.http.get("/api/queue/limits")).json()["limits"]
    assert {one["source"] for one in limits} == {"default"}


async def test_a_limit_that_was_kept_for_a_provider_of_then_stays_and_can_be_reset(edge: Any) -> None:
    await edge.runtime.ledger.write(set_limit, "per_provider.gone", 3, by="ana")
    limits = {one["name"]: one["value"] for one in (await edge.http.get("/api/queue/limits")).json()["limits"]}
    assert limits["per_provider.gone"] == 3
    assert (await edge.http.delete("/api/queue/limits/per_provider.gone")).status_code == 200
    assert (await edge.http.put("/api/queue/limits/per_provider.scripted", json={"value": 3})).status_code == 200


BAD = ["(a", r"(a)\1", "[", "a{1000}{1000}", "(?=a)", "\\"]


@pytest.mark.parametrize("expression", [*BAD, "\udcfc"])
def test_a_bad_expression_says_why(expression: str) -> None:
    with pytest.raises(ValueError, match=r"is not a regular expression of RE2: .+"):
        compiled(expression)


def test_nothing_writes_to_stderr_by_itself_for_a_bad_expression() -> None:
    """Wherever one is read: a rule on its way in, an entry point's parameter, a value for it."""
    code = f"""
from actors.jobs.approval_rules import check_rule
from actors.jobs.records import ApprovalRule
from actors.providers.entry_points import Param
for bad in {BAD[:-1]!r}:
    for read in (
        lambda: check_rule(ApprovalRule("r", "config_pattern", f"^{{bad}}$")), lambda: Param(pattern=bad),
    ):
        try:
            read()
        except ValueError:
            pass
        else:
            raise AssertionError(bad)
assert Param(pattern="((a?){{100}}){{8}}b").fault_of("a" * 100_000)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
