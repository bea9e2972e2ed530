"""All benchmarks, one after the other, and one table of what they found.

    python benchmarks/run_all.py [NAME ...] [--out FILE]

``NAME``: only these, such as ``store cli``. Each script runs in a process of its own with ``--json`` and prints one
object with ``machine`` and ``figures`` (:class:`common.Figure`). A script that fails, or takes longer than ``LONGEST``
seconds, is a line of the table, and the exit status is 1. The table is Markdown; it goes to the terminal and to
``FILE`` (``benchmarks/figures.md``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import Figure, line_of

HERE = Path(__file__).parent
LONGEST = 600.0
HEADINGS = ("figure", "value", "compared", "required", "conditions")


def measure(script: Path) -> dict[str, Any]:
    """What a script found. Raises ``ValueError`` saying why it found nothing."""
    try:
        done = subprocess.run(
            [sys.executable, script, "--json"], capture_output=True, text=True, timeout=LONGEST, cwd=HERE.parent
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"did not end within {LONGEST:g} s") from None
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def section(script: Path, found: dict[str, Any]) -> list[str]:
    """The lines of one script: where it ran, then its figures."""
    where = found["machine"]
    title = f"**{script.stem}**, load {where['load']}, a bare commit {where['commit_ms']} ms"
    return [row([title, "", "", "", ""]), *(row(line_of(Figure(**one))) for one in found["figures"])]


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="which ones: store, cli, ... (all)")
    parser.add_argument("--out", type=Path, default=HERE / "figures.md", help="where the table is written")
    given = parser.parse_args()
    names = given.names or sorted(script.stem.removeprefix("bench_") for script in HERE.glob("bench_*.py"))
    lines = [row(HEADINGS), row(["---"] * len(HEADINGS))]
    failed = False
    for name in names:
        script = HERE / f"bench_{name}.py"
        print(f"{script.stem} ...", file=sys.stderr, flush=True)
        try:
            lines += section(script, measure(script))
        except (ValueError, KeyError, TypeError) as error:
            failed = True
            lines.append(row([f"**{script.stem}**", f"failed: {error}", "", "", ""]))
    began = f"Measured on {datetime.now(UTC):%Y-%m-%d} with Python {sys.version.split()[0]} by `make bench`."
    text = "\n".join([began, "", *lines, ""])
    given.out.write_text(text)
    print(text)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
