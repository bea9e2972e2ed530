"""The table of rows and their tests is true: every test it names exists, and it names no test twice in a row."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_row_is_held_by_tests_that_exist():
    existing = {
        node.name
        for path in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
    rows = [line for line in (HERE / "rows.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row.rsplit("|", 2)[1].strip() != "Tests"]
    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"\btest_\w+", row)
        assert named, f"a row without a test: {row}"
        assert len(named) == len(set(named)), row
        assert set(named) <= existing, f"{set(named) - existing} in {row}"
