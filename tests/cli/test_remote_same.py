"""F1: the same script of commands over the socket and over TCP, with equal output and exit statuses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.cli.conftest import Terminal
from tests.cli.remote_fixtures import serving

pytestmark = pytest.mark.parts

JOBS = """
defaults: {entry_point: train, level: admin}
jobs:
  - {name: f1, params: {lr: 0.5}, group: night}
  - {name: "f-{lr}", params: {lr: "{lr}"}, group: night, matrix: {lr: [0.1, 0.20]}, after: [f1]}
"""
SCRIPT = """
jobs
queue
submit --level admin --entry-point train --set lr=0.1 --name one --key k1 --wait
submit --level admin --entry-point train --set lr=0.1 --name one --key k1
submit --level admin --entry-point train --set lr=0.2 --name one --key k1
submit --level admin --entry-point train --set lr=x
submit --level admin --entry-point trian --set lr=1
submit --level admin --entry-point train --name two-{lr} --set 'lr="{lr}"' --sweep lr=0.1,0.2 --group g --wait
submit --level admin --entry-point long --name held --needs-approval 'is long' --priority 7 --json
submit --level admin --entry-point train --set lr=1 --name waits --after held
submit --level admin --entry-point long --name long
submit --file jobs.yaml --wait
submit --file jobs.yaml
submit --file none.yaml
jobs
jobs --json --name 'two-*'
jobs --status completed --limit 1
show one
show one --json
show nothing
logs one
logs --tail 1 --follow two-0.1
logs nothing
metrics one --csv
compare g --csv
queue
queue --json
approvals
prioritise held 9
cancel one
retry one --json
logs --follow one
reject held --reason 'too long'
show waits
cancel long
logs --follow long
settle one --failed
rm --name 'two-*' --yes
rm one --dry-run
limits set total 4
limits show --json
limits reset
limits set nothing 4
queue pause local --reason service
queue
queue resume local
notifications
notifications targets
dead-letters
quarantine list
prune --dry-run
token create --user ana --level viewer --json
token list --json
token revoke nothing
jobs --cursor wrong
cancel --name nothing --yes
tree --json
"""


_FIGURES = "uptime|freed_bytes|high_water|depth|last_used_at"


@attrs.define
class Same:
    """Replaces what differs between two supervisors: ids by their number of appearance, times, figures of one run."""

    folders: tuple[str, ...]
    ids: dict[str, str] = attrs.field(factory=dict)

    def __call__(self, text: str) -> str:
        for folder in self.folders:
            text = text.replace(folder, "FOLDER")
        text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", lambda found: self._id(found[0][-12:]), text)
        text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{12}\b", lambda found: self._id(found[0]), text)
        text = re.sub(r"\b[0-9a-f]{32}\b", "CORRELATION", text)
        text = re.sub(r"\bgr_\S{20,}?(?=[\s\"]|$)", "TOKEN", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?|\b\d\d:\d\d:\d\d\b", "TIME", text)
        text = re.sub(r"\b\d+(\.\d+)? (s|ms|min|KiB|bytes)\b( \d+ s\b)?", "FIGURE", text)
        text = re.sub(rf'"({_FIGURES})": [^,\n]+', r'"\1": FIGURE', text)
        return re.sub(r" +", " ", text)

    def _id(self, found: str) -> str:
        return self.ids.setdefault(found, f"ID-{len(self.ids)}")


def played(terminal: Terminal, same: Callable[[str], str]) -> list[str]:
    """Each command of the script with its exit status and what it printed.

    Over the network a job that names no level has that of the token: here all name it.
    """
    (terminal.cwd / "jobs.yaml").write_text(JOBS)
    found = []
    for line in SCRIPT.strip().splitlines():
        done = terminal.type(*shlex.split(line))
        assert "Traceback" not in done.stderr, (line, done.stderr)
        noted = "" if "--wait" in line else done.stderr  # which tells how far it was, each time another way
        found.append(f"$ {line}\n{done.returncode}\n{same(done.stdout)}\n{same(noted)}")
    return found


def terminal_in(terminal: Terminal, folder: Path) -> Terminal:
    """A terminal like ``terminal`` whose home is in ``folder``."""
    (folder / "work").mkdir(parents=True)
    home = folder / "state"
    return Terminal(home, folder / "work", {**terminal.environment, "GREENROOM_HOME": str(home), "HOME": str(folder)})


def test_the_same_commands_print_the_same_over_the_socket_and_over_tcp(
    terminal: Terminal, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    found = {}
    for way in ("socket", "network"):
        folder = tmp_path / way
        with serving(terminal_in(terminal, folder), folder / "elsewhere", certificate) as remote:
            asking = remote.here if way == "socket" else remote.there
            found[way] = played(asking, Same((str(remote.there.cwd), str(remote.here.cwd), str(folder))))
    for over_socket, over_network in zip(found["socket"], found["network"], strict=True):
        assert over_network == over_socket
