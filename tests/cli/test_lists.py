"""Lists on the command line come in pages, and each page says how to go on."""

from __future__ import annotations

import re
from typing import Any

import attrs
import trio

from actors.jobs.options import ApprovalOptions, Limits
from actors.jobs.records import ApprovalRule
from actors.providers.scripted import ScriptedOptions, ScriptedProvider, ScriptedRemote
from actors.runtime import Parts, open_runtime
from actors.testing import request, seeded_sources, virtual_settings


def fill(home: Any, number: int) -> None:
    """Jobs that wait, half of them for an approval, in a place where no supervisor runs afterwards."""

    async def main() -> None:
        provider = ScriptedProvider(ScriptedOptions(), ScriptedRemote(Parts().clock.now))
        approvals = ApprovalOptions(rules=(ApprovalRule("Dear", "config_pattern", "dear", rule_id=1),))
        settings = attrs.evolve(virtual_settings(limits=Limits(total=0), approvals=approvals), state_dir=home)
        async with open_runtime(settings, Parts(providers=[provider], sources=seeded_sources(1))) as runtime:
            for index in range(number):
                await runtime.submit(request(config_name="dear" if index % 2 else "cheap"))

    trio.run(main)


def test_each_page_of_a_list_says_how_to_go_on(terminal: Any) -> None:
    """By the very words that it prints, until there is nothing more."""
    fill(terminal.home, 6)
    for command, rows in ((["jobs"], 6), (["queue"], 6), (["approvals"], 3)):
        seen, words = [], [*command, "--limit", "2"]
        for _ in range(10):
            done = terminal.type(*words)
            assert done.returncode == 0, done.stderr
            seen += re.findall(r"^.*(?:dear|cheap|Dear).*$", done.stdout, re.MULTILINE)
            more = re.search(r"^more: greenroom (.*)$", done.stdout, re.MULTILINE)
            if more is None:
                break
            words = [*more[1].split(), "--limit", "2"]
        assert (len(seen), len(set(seen))) == (rows, rows), command


def test_a_cursor_of_nobody_is_bad_input(terminal: Any) -> None:
    fill(terminal.home, 1)
    done = terminal.type("queue", "--cursor", "x")
    assert (done.returncode, done.stderr.count("not a cursor of this list")) == (2, 1)


def test_a_spec_has_a_maximum_of_bytes(terminal: Any) -> None:
    (terminal.cwd / "spec.yaml").write_text("# " + "x" * (1 << 20))
    done = terminal.type("submit", "--spec", "spec.yaml", "--", "true")
    assert (done.returncode, "--spec: must be at most" in done.stderr) == (2, True)
