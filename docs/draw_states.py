"""Draws the state pictures in these pages from the tables in the code: `python docs/draw_states.py`.

With `--check` nothing is written; the exit status is 1 where a picture is stale. A picture is Mermaid text between two
markers; everything else on the page stays.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from actors.jobs import lifecycle as job
from supervision import lifecycle as child

PAGES = Path(__file__).parent
END = "<!-- end of the picture -->"
Edge = tuple[str, str, str]
"""The state before, the state after, what happened; the state "[*]" before means: not there yet."""


def child_edges() -> list[Edge]:
    """The steps of `supervision.lifecycle`. A new child is pending, or entered at once by `start_child`."""
    steps = [
        (before.value, after.value, trigger.value)
        for trigger, (befores, after) in child.TRANSITIONS.items()
        for before in befores
    ]
    return [("[*]", child.ChildState.PENDING.value, "listed"), *steps]


def job_edges() -> list[Edge]:
    """The steps of `actors.jobs.lifecycle`: a state is the job's and its queue entry's, "pending / blocked"."""
    return [
        ("[*]" if status is None else f"{status} / {entry}", f"{step.job} / {step.entry}", trigger.value)
        for trigger, (befores, step) in job.TRANSITIONS.items()
        for status, entry in befores
    ]


def picture(edges: Iterable[Edge]) -> str:
    """The edges as a Mermaid state diagram; those between the same two states are one arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for before, after, label in edges:
        arrows.setdefault((before, after), []).append(label)
    states = dict.fromkeys(state for arrow in arrows for state in arrow if state != "[*]")
    number = {state: f"s{count}" for count, state in enumerate(states)} | {"[*]": "[*]"}
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state}" as {number[state]}' for state in states]
    lines += [
        f"    {number[before]} --> {number[after]}: {', '.join(labels)}" for (before, after), labels in arrows.items()
    ]
    lasting = {before for before, _ in arrows}
    lines += [f"    {number[state]} --> [*]" for state in states if state not in lasting]
    return "\n".join([*lines, "```"])


PICTURES = {"semantics.md": ("a child", child_edges), "architecture.md": ("a job", job_edges)}


def drawn(page: str, text: str) -> str:
    """The page's text with its picture as the table is now."""
    subject, edges = PICTURES[page]
    begin = f"<!-- states of {subject}, drawn by docs/draw_states.py -->"
    before, _, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{page}: the markers {begin!r} and {END!r} are missing")
    return f"{before}{begin}\n{picture(edges())}\n{END}{after}"


def stale() -> list[str]:
    """The pages whose picture is not what the table says."""
    texts = {page: (PAGES / page).read_text(encoding="utf-8") for page in PICTURES}
    return [page for page, text in texts.items() if drawn(page, text) != text]


if __name__ == "__main__":
    pages = stale()
    if "--check" not in sys.argv:
        for page in pages:
            path = PAGES / page
            path.write_text(drawn(page, path.read_text(encoding="utf-8")), encoding="utf-8")
    print("\n".join(f"{page}: {'stale' if '--check' in sys.argv else 'drawn'}" for page in pages))
    sys.exit(bool(pages) and "--check" in sys.argv)
