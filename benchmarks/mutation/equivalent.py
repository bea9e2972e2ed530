"""Mutants that are equal in behaviour, with the reasons: equivalent.yaml, by the text of the line and the change."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml
from generator import Mutant
from places import ROOT

FILE = Path(__file__).with_name("equivalent.yaml")


@functools.cache
def entries() -> dict[tuple[str, str, str], str]:
    """The reasons, by file, line and change."""
    found = yaml.safe_load(FILE.read_text()) or []
    return {(one["file"], one["line"], one["change"]): one["reason"] for one in found}


def reason_of(mutant: Mutant) -> str | None:
    """Why nobody can notice it; None where nobody has said so."""
    return entries().get((mutant.file, line_of(mutant), mutant.text))


def line_of(mutant: Mutant) -> str:
    """Its line's text, which stays when lines above it come or go."""
    return (ROOT / mutant.file).read_text().splitlines()[mutant.line - 1].strip()
