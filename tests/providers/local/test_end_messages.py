"""Why a program was not run, in one printable sentence."""

from __future__ import annotations

import errno

from actors.providers.local.end_messages import failure_message, shown
from actors.providers.local.shim import system


def test_bytes_that_are_not_utf8_are_told_by_their_number_and_control_characters_as_blanks() -> None:
    record = {"failure": {"stage": "exec", "errno": errno.ENOENT}}
    assert shown(failure_message(record, ["/bin/caf\udce9\n"], "/")) == r"program not found: /bin/caf\xe9 "


def test_an_end_is_recorded_though_no_descriptor_is_left_to_count_what_was_killed(monkeypatch):
    def none_left(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(system.os, "open", none_left)
    assert system.oom_kills() == {"group": None, "machine": None}
