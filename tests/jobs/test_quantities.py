"""Durations and sizes as people write them (E5): what is read, what is refused, and in which words."""

from __future__ import annotations

import contextlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.jobs.quantities import HOUR, PATTERN, bytes_of, seconds_of, wait_of, without_unit

UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), ("1d12h", 129_600), ("2w", 1_209_600),
        ("1h30m", 5400), ("0.5", 0.5), (".5", 0.5), ("1e3", 1000), ("0s", 0), ("0.1h", 360),
    ],
)  # fmt: skip
def test_a_duration_is_written_in_units_or_as_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_a_bare_number_has_the_unit_of_its_key_and_a_written_unit_wins() -> None:
    assert (seconds_of("2", HOUR), seconds_of("90s", HOUR)) == (7200, 90)
    assert (without_unit("timeout_hours"), without_unit("days"), without_unit("delay")) == ("timeout", None, None)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1h90", "1h90m"), ("1d5", "1d5h"), ("15min", "'min' is not a unit"), ("2H", "'H' is not a unit"),
        ("30m1h", "largest first"), ("1h1h", "each unit once"),
        ("-5", ""), ("", ""), ("h", ""), ("1:30", ""), ("2 h", ""), ("nan", ""), ("inf", ""), ("1e999", ""),
        ("9" * 40 + "s", ""), ("٣h", ""), ("1h\n", ""), ("0x10", ""),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_or_none_is_refused(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as 90s, 15m, 2h or 1d12h, not") as refused:
        seconds_of(text)
    assert hint in str(refused.value)
    assert len(str(refused.value)) < 250
    assert not re.search(PATTERN, text) or text.endswith("\n")


def test_a_duration_has_at_most_thirty_two_characters() -> None:
    assert seconds_of("9".rjust(32, "0")) == 9
    with pytest.raises(ValueError, match="'H' is not a unit"):
        seconds_of("9H".rjust(32, "0"))
    with pytest.raises(ValueError, match="must be a duration"):
        seconds_of("9".rjust(33, "0"))


@pytest.mark.parametrize("text", ["0", "0s", "10000000001"])
def test_a_wait_is_above_nothing_and_at_most_some_centuries(text: str) -> None:
    assert (wait_of("0.001"), wait_of("10000000000")) == (0.001, 10**10)
    with pytest.raises(ValueError, match="must be above 0"):
        wait_of(text)


@given(st.fixed_dictionaries({}, optional={unit: st.integers(0, 999) for unit in UNITS}))
def test_a_duration_is_the_sum_of_its_parts(parts: dict[str, int]) -> None:
    text = "".join(f"{parts[unit]}{unit}" for unit in UNITS if unit in parts) or "0"
    assert seconds_of(text) == sum(number * UNITS[unit] for unit, number in parts.items())
    assert re.search(PATTERN, text)


@given(st.text(alphabet="0123456789.wdhmsGiB+-e ", max_size=40))
def test_any_text_is_a_finite_number_or_refused(text: str) -> None:
    for reader in (seconds_of, bytes_of):
        with contextlib.suppress(ValueError):
            assert 0 <= reader(text) < math.inf


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1073741824", 2**30), ("8GiB", 2**33), ("8GB", 8 * 10**9), ("8 GiB", 2**33), ("1.5GB", 1_500_000_000),
        ("512kB", 512_000), ("512KB", 512_000), ("64KiB", 65_536), ("2TiB", 2**41), ("5B", 5),
    ],
)  # fmt: skip
def test_a_size_is_written_with_its_unit_or_in_bytes(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("8G", "write 8GiB (2^30 bytes each) or 8GB (10^9)"), ("8k", "8KiB (2^10 bytes each) or 8KB"),
        ("1.5T", "1.5TiB"), ("8gb", "did you mean 8GB?"), ("8gib", "did you mean 8GiB?"),
        ("1.5", ""), ("-1", ""), ("lots", ""), ("", ""), ("8Gbit", ""), ("8GiB\n", ""), ("9" * 30, ""),
    ],
)  # fmt: skip
def test_a_size_that_can_mean_two_things_is_refused_with_both(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match="must be a number of bytes or a size such as 8GiB or 8GB, not") as refused:
        bytes_of(text)
    assert hint in str(refused.value)


@pytest.mark.parametrize("text", ["8388608TiB", "99999999TiB"])
def test_more_bytes_than_can_be_kept_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"^must be less than 8,388,608TiB, not '{text}'$"):
        bytes_of(text)
    assert bytes_of("8388607TiB") == 8388607 * 2**40
