"""The configuration of a restored runtime: its own state directory and keys, all the rest as it was written (F3)."""

from __future__ import annotations

import pytest
import yaml

from actors.backup.configuration import rewritten
from actors.backup.errors import BackupError

KEY = ("notify", "targets", "a.b", "secret_file")
NOTIFY = {KEY: "/new/key"}
HERE = {("state_dir",): "."}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'state_dir: "."\n'),
        ("# nothing\n", 'state_dir: "."\n# nothing\n'),
        ("state_dir: /old  # where\nhttp: {port: 1}\n", 'state_dir: "."  # where\nhttp: {port: 1}\n'),
        ("a: 1\nstate_dir: >\n  /old\nb: 2\n", None),
        ("a: 1\n'state_dir': '/o''ld'\n", "a: 1\n'state_dir': \".\"\n"),
        ("---\n# c\nhttp:\n  port: 1\n", '---\n# c\nstate_dir: "."\nhttp:\n  port: 1\n'),
        ("  a: 1\n  b: 2\n", '  state_dir: "."\n  a: 1\n  b: 2\n'),
        ("{a: 1}", '{state_dir: ".", a: 1}'),
        ("{}", '{state_dir: "."}'),
        ("a: 1\t# c\n", 'state_dir: "."\na: 1\t# c\n'),
        ("state_dir:\na: 1  # c\n", 'state_dir: "."\na: 1  # c\n'),
        ("state_dir: &x /old\na: *x\n", 'state_dir: "."\na: /old\n'),
        ("? a\n: 1\n", None),
        ("? state_dir\n: /old\n", None),
        ("---\n", 'state_dir: "."\n'),
        ("~\n", 'state_dir: "."\n'),
        ("a: +5\nb: True\nc: 012\nd: .nan\n", 'state_dir: "."\na: +5\nb: True\nc: 012\nd: .nan\n'),
        ("€: &a [no]\n? state_dir\n: &b x\nd: [*a, *b]\n", None),
        ("\ufeffé: ü\n", 'state_dir: "."\né: ü\n'),
    ],
)
def test_the_state_directory_is_where_the_file_lies(before, after):
    made = rewritten(before.encode(), HERE).decode()
    assert meaning(made) == {**meaning(before.lstrip("\ufeff")), "state_dir": "."}
    assert after is None or made == after


def test_key_files_are_the_restored_ones():
    text = 'notify:\n  targets:\n    a.b: {url: "https://x", secret_file: ~/old}\n    c: {secret_file: /c}\n'
    made = yaml.safe_load(rewritten(text.encode(), HERE | NOTIFY))
    assert made["notify"]["targets"] == {
        "a.b": {"url": "https://x", "secret_file": "/new/key"},
        "c": {"secret_file": "/c"},
    }


def meaning(text):
    """By the loader of the settings; the pure one refuses tabs. A number that is none is unlike itself."""
    return yaml.load(text.replace(".nan", "nan"), Loader=yaml.CSafeLoader) or {}


def test_a_value_that_an_alias_shares_is_changed_in_one_place():
    text = "c: &c {url: u, secret_file: /c}\nnotify: {targets: {a.b: *c, d: *c}}\n"
    made = yaml.safe_load(rewritten(text.encode(), NOTIFY))
    assert made["notify"]["targets"]["d"] == made["c"] == {"url": "u", "secret_file": "/c"}
    assert made["notify"]["targets"]["a.b"] == {"url": "u", "secret_file": "/new/key"}


def test_a_setting_that_is_not_there_is_not_made():
    assert yaml.safe_load(rewritten(b"notify: 3\n", NOTIFY)) == {"notify": 3}


@pytest.mark.parametrize("content", [b"- 1\n", b"a: [\n", b"text", b"[" * 5000, b"\xff", b"a: !x 1\n"])
def test_what_is_no_configuration_is_refused(content):
    with pytest.raises(BackupError, match="the configuration in the backup is damaged"):
        rewritten(content, HERE)
