"""What the page does with a job's output takes time by its length alone: its module is run by node."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.api.pages import STATIC

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node: apt-get install nodejs, as .ci/run does")

SIZE = 2_000_000
"""Characters of one line. Work that grows with the square of it takes hours, linear work some milliseconds: so the
bound on the whole run, :data:`SECONDS`, tells them apart on any machine."""
SECONDS = 100
HOSTILE = {
    "one line": "'a'.repeat(SIZE)",
    "one line of spaces": "' '.repeat(SIZE)",
    "a progress bar": "'50%\\r'.repeat(SIZE / 4)",
    "carriage returns": "'\\r'.repeat(SIZE)",
    "a line that is written over once": "'\\r' + 'a'.repeat(SIZE)",
    "line breaks": "'\\n'.repeat(SIZE)",
    "line breaks of Windows": "'\\r\\n'.repeat(SIZE / 2)",
    "escapes": "'\\u001b'.repeat(SIZE)",
    "escapes that begin": "'\\u001b['.repeat(SIZE / 2)",
    "an escape that does not end": "'\\u001b[' + '0;'.repeat(SIZE / 2)",
    "an escape of numbers and spaces": "'\\u001b[' + '0'.repeat(SIZE / 2) + ' '.repeat(SIZE / 2)",
    "titles that begin": "'\\u001b]'.repeat(SIZE / 2)",
    "a title that does not end": "'\\u001b]' + 'a'.repeat(SIZE)",
    "titles that do not end": "'\\u001b]a\\u001b'.repeat(SIZE / 4)",
    "colours": "'\\u001b[0m'.repeat(SIZE / 4)",
}
SHOWN = {
    "plain\n": "plain\n",
    "a\r\nb\r\n": "a\nb\n",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07text": "red text",
    "10%\r50%\r100%\ndone": "100%\ndone",
    "10%\r50%\r": "50%",
    "abc\r\r\nd": "abc\nd",
    "\r": "",
    "": "",
    "bell \x07 and \x00\x7f\x9b": "bell \u2407 and \u2400\u2421<U+009B>",
    "turned \u202etext": "turned <U+202E>text",
}
SHORT = 5_000
"""Characters as which the longest line is shown, at most."""


def run(tmp_path: Path, script: str) -> str:
    """What ``script`` prints, which has the module's names."""
    (tmp_path / "output_text.mjs").write_text((STATIC / "js" / "output_text.js").read_text())
    (tmp_path / "test.mjs").write_text(f'import {{ readable, Tail }} from "./output_text.mjs";\n{script}')
    assert NODE is not None
    done = subprocess.run(
        [NODE, "test.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_output_is_shown_without_escapes_and_in_its_last_state(tmp_path: Path) -> None:
    script = f"console.log(JSON.stringify({json.dumps(list(SHOWN))}.map(readable)))"
    assert json.loads(run(tmp_path, script)) == list(SHOWN.values())


def test_two_megabytes_without_a_line_break_are_shown_in_linear_time(tmp_path: Path) -> None:
    """One line, and everything that is made to send a careless expression into quadratic work."""
    texts = ", ".join(HOSTILE.values())
    script = f"const SIZE = {SIZE};\nconsole.log(JSON.stringify([{texts}].map((text) => readable(text).length)))"
    lengths = dict(zip(HOSTILE, json.loads(run(tmp_path, script)), strict=True))
    assert lengths["line breaks"] == SIZE
    assert lengths["one line"] == lengths["a line that is written over once"] < SHORT
    assert (lengths["a progress bar"], lengths["carriage returns"], lengths["colours"]) == (3, 0, 0)


def test_the_end_of_the_output_is_kept_in_whatever_pieces_it_comes(tmp_path: Path) -> None:
    """A character at a time, and all at once; what is added costs nothing for each piece but its own length."""
    script = f"""
        const ends = [1, 7, 1000, {SIZE}].map((piece) => {{
          const tail = new Tail(1000);
          const digits = "0123456789".repeat(piece / 10 + 2);
          for (let at = 0; at < {SIZE}; at += piece) {{
            tail.add(digits.slice(at % 10, (at % 10) + Math.min(piece, {SIZE} - at)));
          }}
          return tail.gather();
        }});
        console.log(JSON.stringify(ends));
    """
    ends = json.loads(run(tmp_path, script))
    assert set(ends) == {"0123456789" * 100}


def test_no_module_of_the_page_has_an_expression_that_is_not_looked_at_here() -> None:
    """An expression over what a job wrote can be quadratic: those of the page stand in the module tested here.

    The others are over what was typed into a field, and over a command's words: they were looked at, too. None has two
    repetitions beside each other that could take the same characters.
    """
    literal = re.compile(r"(?:[=(,:]|return)\s*/(?![/*])(?:\\.|[^/\n])+/[dgimsuvy]*|new RegExp|\bRegExp\(")
    found = {
        path.name for path in sorted((STATIC / "js").glob("*.js"))
        for line in path.read_text().splitlines() if not line.lstrip().startswith("//") and literal.search(line)
    }  # fmt: skip
    typed = {"common_fields.js", "form_field.js", "in_place.js", "param_fields.js", "shell_line.js"}
    assert found == {"output_text.js"} | typed
