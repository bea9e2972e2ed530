"""Where mutants are made, where their tests lie, and which of these execute a line."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import attrs
from generator import Mutant

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".mutants"
PLACES = ("actors/jobs", "actors/ledger", "actors/scheduler.py", "actors/poller", "actors/expiry.py")
FOLDERS = ("tests/jobs", "tests/ledger", "tests/poller", "tests/actors", "tests/control", "tests/job_requests")
"""The unit tests that are recorded."""
OPTIONS = (
    "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "not parts", "--tb=line", "--hypothesis-seed=0",
    "-o", "tmp_path_retention_policy=none",
)  # fmt: skip
"""Of pytest, so that a trial is the same each time."""
_RESTORED = (
    "tests/backup/test_look_ups.py",
    "tests/backup/test_look_ups_uncertain.py",
    "tests/backup/test_restoring.py",
    "tests/backup/test_settled_in_doubt.py",
)
_SCHEDULED = ("tests/jobs/test_scheduling.py", "tests/jobs/test_scheduling_resources.py")
_SELECTED = ("tests/api/test_selections.py",)
_DELIVERED = ("tests/api/test_webhooks.py",)
_DAMAGED = ("tests/store/test_rows.py",)
TESTS = {
    "actors/jobs/approval_records.py": ("tests/jobs/test_approval_rules.py",),
    "actors/jobs/bounds.py": _SCHEDULED,
    "actors/jobs/codec.py": ("tests/jobs/test_records.py",),
    "actors/scheduler.py": (
        "tests/kernel/test_ticking.py",
        "tests/ledger/test_parent_results.py",
        "tests/ledger/test_races.py",
        "tests/ledger/test_verbs.py",
    ),
    "actors/expiry.py": ("tests/ledger/test_approvals.py", "tests/actors/test_clock_steps.py", *_DAMAGED),
    "actors/jobs/deliveries.py": _DELIVERED,
    "actors/jobs/maxima.py": ("tests/jobs/test_maximum.py", "tests/api/test_maxima.py"),
    "actors/jobs/notification_texts.py": ("tests/jobs/test_notifications.py",),
    "actors/jobs/reservations.py": _SCHEDULED,
    "actors/jobs/selections.py": _SELECTED,
    "actors/ledger/approvals.py": ("tests/backup/test_settled_in_doubt.py", "tests/backup/test_look_ups_uncertain.py"),
    "actors/ledger/attempts.py": ("tests/ledger/test_views.py", "tests/ledger/test_rerun.py"),
    "actors/ledger/base.py": (
        "tests/ledger",
        "tests/ledger/test_views.py",
        "tests/actors/test_notifier.py",
        "tests/backup/test_dependants_uncertain.py",
        *_DAMAGED,
        *_RESTORED,
    ),
    "actors/ledger/broken.py": ("tests/ledger/test_dependants_again.py",),
    "actors/jobs/series_book.py": ("tests/jobs/test_series.py",),
    "actors/ledger/deliveries.py": _DELIVERED,
    "actors/ledger/dispatch.py": ("tests/ledger/test_ledger.py",),
    "actors/ledger/uncertain.py": _RESTORED,
    "actors/ledger/keys.py": ("tests/ledger/test_submit.py", "tests/ledger/test_sweeps.py"),
    "actors/ledger/listing.py": ("tests/api/test_lists.py",),
    "actors/ledger/look_ups.py": _RESTORED,
    "actors/ledger/notifications.py": (
        "tests/ledger/test_outbox.py",
        "tests/actors/test_notifier.py",
        "tests/api/test_notifications.py",
        "tests/ledger/test_listing.py",
    ),
    "actors/ledger/notifying.py": ("tests/actors/test_notifier.py", "tests/actors/test_notifier_troubles.py"),
    "actors/ledger/page_request.py": ("tests/ledger/test_listing.py",),
    "actors/ledger/provider_views.py": ("tests/api/test_provider_usage.py", "tests/api/test_routes_queue.py"),
    "actors/ledger/prune.py": ("tests/actors/test_pruning.py", "tests/control/test_removing.py"),
    "actors/ledger/queries.py": ("tests/ledger/test_views.py", "tests/ledger/test_waiting_reasons.py"),
    "actors/ledger/restoring.py": _RESTORED,
    "actors/ledger/rules.py": ("tests/api/test_routes_approvals.py",),
    "actors/ledger/selections.py": _SELECTED,
    "actors/ledger/series.py": ("tests/poller/test_series.py", "tests/ledger/test_listing.py"),
    "actors/ledger/settle.py": _RESTORED,
    "actors/poller/actor.py": (
        "tests/poller/test_poller.py",
        "tests/poller/test_first_look.py",
        "tests/poller/test_poll_requests.py",
        "tests/poller/test_slow_provider.py",
        "tests/poller/test_watch.py",
        "tests/ledger/test_remarks.py",
    ),
    "actors/poller/look_ups.py": _RESTORED,
    "actors/poller/statuses.py": ("tests/poller/test_scale.py", "tests/poller/test_cancel_requests.py"),
    "actors/poller/watch.py": (
        "tests/poller/test_poller.py",
        "tests/poller/test_cancels.py",
        "tests/poller/test_first_look.py",
        "tests/poller/test_poll_requests.py",
        "tests/poller/test_breaker.py",
        "tests/backup/test_look_ups_uncertain.py",
    ),
}
"""Unit tests of other names."""
ELSEWHERE = tuple(sorted({one for some in TESTS.values() for one in some if not one.startswith(FOLDERS)}))
"""Those of them that do not lie in the folders."""
SECONDS_OF_TESTS = 10.0
"""Of processor time, as recorded: what the tests of a mutant take at most, its own first, then of each file."""


def digest(file: Path | str) -> str:
    """Of a file's content."""
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:24]


def unit_tests(file: str) -> list[str]:
    """The tests of a module: of its name, and what is listed here; else those of its package."""
    path = Path(file)
    named = sorted(one for folder in FOLDERS for one in (ROOT / folder).glob(f"test_{path.stem}*.py"))
    own = [one.relative_to(ROOT).as_posix() for one in named]
    return list(dict.fromkeys([*own, *TESTS.get(file, ())])) or [f"tests/{path.parent.name}"]


@attrs.frozen
class Record:
    """What record.py wrote: the parts (tests or worlds) with their seconds, and which of them execute which line.

    ``files``: by file and digest, for each line the numbers of ``sets`` of numbers of parts.
    """

    parts: list[tuple[str, float]]
    sets: list[list[int]]
    files: dict[tuple[str, str], dict[str, list[int]]]

    @classmethod
    def read(cls, *paths: Path) -> Record | None:
        """All of these files together; None where there are none."""
        whole = cls([], [], {})
        for found in (json.loads(path.read_text()) for path in paths):
            parts, sets = len(whole.parts), len(whole.sets)
            whole.parts.extend((name, seconds) for name, seconds in found["parts"])
            whole.sets.extend([number + parts for number in one] for one in found["sets"])
            for name, file in found["files"].items():
                lines = whole.files.setdefault((name, file["digest"]), {})
                for line, number in file["lines"].items():
                    lines.setdefault(line, []).append(number + sets)
        return whole if whole.parts else None

    def executing(self, mutant: Mutant) -> list[tuple[str, float]] | None:
        """Which parts execute what is changed; None where nothing is known of its file.

        What is executed at the import concerns whatever executes anything of the file, and so does a change of a file
        that was recorded with another content.
        """
        lines = self.files.get((mutant.file, digest(mutant.file)))
        if lines is not None and mutant.in_function:
            here = [one for line in range(mutant.line, mutant.last + 1) for one in lines.get(str(line), ())]
        else:
            here = [
                one
                for (file, _), all_ in self.files.items()
                if file == mutant.file
                for some in all_.values()
                for one in some
            ]
            if not here:
                return None
        return [self.parts[number] for number in sorted({part for number in set(here) for part in self.sets[number]})]


def tests_of(mutant: Mutant, record: Record | None, seconds: float) -> list[str]:
    """Tests by their ids, in the order in which they are tried; the files or folders of those that are not recorded."""
    known = None if record is None else record.executing(mutant)
    if record is None or known is None:
        return unit_tests(mutant.file)
    recorded = {name.partition("::")[0] for name, _ in record.parts}
    own = [path for path in unit_tests(mutant.file) if path.endswith(".py")]
    ordered = sorted(_by_turns(known), key=lambda name_seconds: name_seconds[0].partition("::")[0] not in own)
    new = [path for path in own if path not in recorded and path not in ELSEWHERE]
    return [*new, *_affordable(ordered, seconds), *own]  # at last those of its own that were not there yet


def _by_turns(parts: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """The fastest test of each file, then the second ones, and so on."""
    turns: Counter[str] = Counter()
    placed = []
    for name, seconds in sorted(parts, key=lambda part: part[1]):
        file = name.partition("::")[0]
        placed.append((turns[file], seconds, name))
        turns[file] += 1
    return [(name, seconds) for _, seconds, name in sorted(placed)]


def _affordable(parts: Iterable[tuple[str, float]], left: float) -> Iterable[str]:
    for name, seconds in parts:
        left -= seconds
        if left < 0:
            return
        yield name


def worlds_of(mutant: Mutant, last: int, record: Record | None) -> list[int]:
    """Worlds up to this number that reach the change. Without a record: all."""
    known = None if record is None else record.executing(mutant)
    if record is None or known is None:
        return list(range(1, last + 1))
    recorded, reaching = {int(name) for name, _ in record.parts}, {int(name) for name, _ in known}
    return [seed for seed in range(1, last + 1) if seed in reaching or seed not in recorded]
