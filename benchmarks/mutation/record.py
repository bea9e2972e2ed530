"""Which tests or simulated worlds execute which lines: ``record.py tests PATH...`` or ``record.py worlds LAST``.

With coverage.py (``pip install -e '.[dev]'``), once; what it finds lies in ``.mutants/`` and holds as long as a file's
content does. What several runs recorded is used together. Whoever failed here is left out: a change is noticed only by
what passes without it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import coverage  # noqa: E402 - after the path
import pytest  # noqa: E402
from places import ELSEWHERE, FOLDERS, KEPT, OPTIONS, PLACES, digest  # noqa: E402


class Recorder:
    """Measures what each of several parts of one run executes. ``seconds``: of processor time, by part."""

    def __init__(self) -> None:
        wanted = [f"{ROOT}/{place}" + ("" if place.endswith(".py") else "/*") for place in PLACES]
        self._coverage = coverage.Coverage(data_file=None, include=wanted, config_file=False)
        self._coverage.start()
        files = [path.relative_to(ROOT) for place in PLACES for path in (ROOT / place).rglob("*.py")]
        self._digests = {file: digest(file) for file in [*files, *map(Path, PLACES)] if (ROOT / file).is_file()}
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def begin(self, part: str) -> None:
        """What is executed from here on is of this part."""
        self._coverage.switch_context(part)
        self.seconds[part] = -time.process_time()

    def end(self, part: str) -> None:
        """It is over."""
        self.seconds[part] = round(self.seconds[part] + time.process_time(), 3)
        self._coverage.switch_context("")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A test is a part, its fixtures included."""
        self.begin(item.nodeid)
        result = yield
        self.end(item.nodeid)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failed test is no judge."""
        if report.failed:
            self.failed.add(report.nodeid)

    def write(self, path: Path) -> None:
        """Keep it: for each file its digest, and by line the number of a set of parts."""
        self._coverage.stop()
        parts = [part for part in self.seconds if part not in self.failed]
        numbers = {part: number for number, part in enumerate(parts)}
        sets: dict[tuple[int, ...], int] = {}
        files: dict[str, Any] = {}
        data = self._coverage.get_data()
        for name in sorted(data.measured_files()):
            lines = {}
            for line, contexts in data.contexts_by_lineno(name).items():
                executed = tuple(sorted(numbers[one] for one in contexts if one in numbers))
                lines[line] = sets.setdefault(executed, len(sets))
            file = Path(name).relative_to(ROOT)
            files[file.as_posix()] = {"digest": self._digests[file], "lines": lines}
        path.parent.mkdir(exist_ok=True)
        found = {"parts": [[part, self.seconds[part]] for part in parts], "sets": list(sets), "files": files}
        path.write_text(json.dumps(found))
        print(f"{len(parts)} recorded in {path.relative_to(ROOT)}; {len(self.failed)} left out, since they failed:")
        print(*sorted(self.failed)[:20], sep="\n")


def main(what: str, *rest: str) -> None:
    """Record the tests of these folders, or the worlds up to this number."""
    recorder = Recorder()
    if what == "tests":
        with tempfile.TemporaryDirectory() as folder:  # pytest's own is removed when others start often
            pytest.main([*OPTIONS, f"--basetemp={folder}/tests", *(rest or (*FOLDERS, *ELSEWHERE))], plugins=[recorder])
    else:
        from actors.simulation import simulate

        for seed in range(1, int(rest[0]) + 1):
            recorder.begin(str(seed))
            if (violation := simulate(seed, 0.25).violation) is not None:
                sys.exit(f"world {seed} is violated without any change: {violation}")
            recorder.end(str(seed))
    recorder.write(KEPT / f"{'-'.join([what, *(Path(one).name for one in rest)])}.json")


if __name__ == "__main__":
    main(*sys.argv[1:])
