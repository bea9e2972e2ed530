"""One seed, one record: byte for byte, in two processes with different hash seeds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parent / "random_tree.py"


@pytest.mark.parametrize("seed", [2, 4, 11])
def test_the_record_of_reports_is_the_same_in_two_processes_with_different_hash_seeds(seed):
    def record(hash_seed):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, str(TREE), str(seed), "30"]
        return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120).stdout

    one, two = record("1"), record("2")
    assert one == two
    assert one.count(b"\n") > 10
