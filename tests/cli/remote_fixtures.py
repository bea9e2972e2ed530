"""A supervisor that serves HTTP on a port of its own, and who asks it from another place, with a token."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.cli.conftest import Terminal, stop, until
from tests.ports import free_ports

CONFIG = """
http: {port: 0}
notify: {targets: {lab: {url: "https://lab.example/hook"}}}
entry_points:
  train: {command: [sh, FOLDER/train.sh, "{lr}"], params: {lr: {type: float}}}
  long: {command: [sleep, "600"]}
  gate: {command: [sh, -c, "until [ -e FOLDER/open ]; do sleep 0.05; done"]}
"""
PROGRAM = """echo "lr $1"
echo '{"step": 1, "loss": 0.5}' >> "$GREENROOM_PROGRESS_FILE"
"""


@attrs.frozen
class Remote:
    """``here``: a terminal of the supervisor's machine. ``there``: one that knows its address and a token only.

    ``process``: the supervisor.
    """

    here: Terminal
    there: Terminal
    url: str
    token_file: Path
    process: subprocess.Popen[str]


@contextmanager
def serving(here: Terminal, elsewhere: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Remote]:
    """A supervisor with :data:`CONFIG`, until the block ends. With a ``certificate`` and its key it serves HTTPS.

    Its port stays: the next supervisor with the same configuration serves there, too.
    """
    (here.cwd / "train.sh").write_text(PROGRAM)
    config = CONFIG.replace("FOLDER", str(here.cwd)).replace("port: 0", f"port: {free_ports(1)[0]}")
    if certificate is not None:
        config = config.replace("}\nnotify", ", tls_certificate: {}, tls_key: {}}}\nnotify".format(*certificate))
    (here.cwd / "greenroom.yaml").write_text(config)
    process = here.start("run")
    try:
        lines = until(process, "Supervisor is ready")
        found = re.search(r"HTTP is served at (https?://[^/ \"]+)", "".join(lines))
        assert found is not None, lines
        (elsewhere / "work").mkdir(parents=True)
        home = elsewhere / "state"
        token_file = elsewhere / "token"
        token_file.touch(mode=0o600)
        token_file.write_text((here.home / "token").read_text())
        environment = {
            **here.environment, "GREENROOM_HOME": str(home), "HOME": str(elsewhere), "GREENROOM_URL": found[1],
            "GREENROOM_TOKEN_FILE": str(token_file),
            **({} if certificate is None else {"SSL_CERT_FILE": str(certificate[0])}),
        }  # fmt: skip
        there = Terminal(home, elsewhere / "work", environment, here.program)
        yield Remote(here, there, found[1], token_file, process)
    finally:
        stop(process)
