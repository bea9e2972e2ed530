"""docs/promises.md has every promise that a comment or a docstring names by its code, such as (B13)."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
CODE = r"[A-F]\d{1,2}"
CODES = rf"{CODE}(?:(?:,| to)\s+{CODE})*"
# In parentheses, or as the first words of a text. Elsewhere the same letters may be a GPU or a key.
NAMED = re.compile(rf"\({CODES}\)|^[\s#\"']*{CODES}(?=[:;.])")
BEFORE_A_STATEMENT = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def explanations(source: bytes) -> Iterator[str]:
    """The comments of a file, and the strings that are statements of their own, such as docstrings."""
    before = tokenize.ENCODING
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        is_text = token.type == tokenize.STRING and before in BEFORE_A_STATEMENT
        if is_text or token.type == tokenize.COMMENT:
            yield token.string
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type


def codes_of(source: bytes) -> set[str]:
    if not re.search(rb"\b[A-F]\d{1,2}\b", source):  # most files name none, and taking one apart takes its time
        return set()
    named = (found.group() for text in explanations(source) for found in NAMED.finditer(text))
    return {code for group in named for code in re.findall(CODE, group)}


def rows() -> list[tuple[str, str]]:
    """The anchor and the code of each row of the page."""
    return re.findall(rf'^\| <a id="(\w+)"></a>({CODE}) \| [A-Z`]', PAGE, re.MULTILINE)


def test_every_promise_that_code_or_tests_name_is_on_the_page() -> None:
    explained = {code for _, code in rows()}
    missing = {}
    for package in ("actors", "supervision", "logconf", "tests"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if unknown := codes_of(file.read_bytes()) - explained:
                missing[file.relative_to(ROOT).as_posix()] = sorted(unknown)
    assert missing == {}, "explain them in docs/promises.md"


def test_the_promises_are_numbered_without_gaps_and_can_be_linked() -> None:
    assert all(anchor == code.lower() for anchor, code in rows())
    by_part = {part: [code for _, code in group] for part, group in groupby(rows(), key=lambda row: row[1][0])}
    assert list(by_part) == re.findall(r"^## ([A-F])\. ", PAGE, re.MULTILINE) == list("ABCDEF")
    for part, codes in by_part.items():
        assert codes == [f"{part}{number}" for number in range(1, len(codes) + 1)]


def test_codes_are_found_where_they_are_named_and_nowhere_else() -> None:
    source = b'''
"""D7. A file (B3 to B7,
B13) and a GPU such as A100, A40 (or an A30)."""
colour = "(E2)"  # not this one (F3), but (E1, E7)


def work(key="(C6)"):
    # a word first
    """C1: the docstring."""
    call(
        "(A1)",
    )
'''
    assert codes_of(source) == {"D7", "B3", "B7", "B13", "F3", "E1", "E7", "C1"}
