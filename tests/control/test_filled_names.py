"""What a matrix fills in must obey the rules of its field, like what is written there."""

from __future__ import annotations

import pytest

from actors.jobs.options import Limits
from actors.jobs.refusal import RefusalKind, Refused
from actors.testing import request


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("q\nz", "config_name: must not hold control characters"),
        ("a\x1b[31mb", "config_name: must not hold control characters"),
        ("", "config_name: must not be empty"),
    ],
)
async def test_a_name_that_a_matrix_fills_in_is_checked(autojump_clock, world, value, why):
    async with world.open(limits=Limits(total=0)) as runtime:
        with pytest.raises(Refused, match=why) as refused:
            await runtime.jobs.submit_sweep(request(config_name="{p}"), {"p": ["good", value]})
        assert (refused.value.kind, refused.value.field) == (RefusalKind.INVALID, "config_name")
        assert str(refused.value).isprintable()
        assert await runtime.jobs.page() == []
