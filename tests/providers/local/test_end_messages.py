"""Why a program was not run, in one printable sentence."""

from __future__ import annotations

import errno

from actors.providers.local.end_messages import failure_message, shown


def test_bytes_that_are_not_utf8_are_told_by_their_number_and_control_characters_as_blanks() -> None:
    record = {"failure": {"stage": "exec", "errno": errno.ENOENT}}
    assert shown(failure_message(record, ["/bin/caf\udce9\n"], "/")) == r"program not found: /bin/caf\xe9 "
