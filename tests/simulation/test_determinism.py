"""One seed, one world: line for line, in two processes with different hash seeds, and twice in one process."""

import os
import re
import subprocess
import sys

import pytest

from actors.simulation import simulate


def traced(seed, hash_seed):
    command = [sys.executable, "-m", "actors.simulation", "--seeds", str(seed), "--hours", "0.25", "--trace"]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return [
        line for line in done.stdout.splitlines() if re.match(r"[0-9]|trace", line) and " times as fast " not in line
    ]


@pytest.mark.parametrize("seed", [4, 8])
def test_the_trace_is_the_same_in_two_processes_with_different_hash_seeds(seed):
    one, two = traced(seed, "1"), traced(seed, "2")
    assert one == two
    assert len(one) > 50


def test_a_world_is_the_same_again_in_one_process_whatever_ran_before_it():
    first = simulate(6, 0.2)
    simulate(3, 0.1)
    again = simulate(6, 0.2)
    assert again.digest == first.digest
    assert again.lines == first.lines


def test_another_seed_is_another_world():
    assert simulate(6, 0.1).digest != simulate(5, 0.1).digest
