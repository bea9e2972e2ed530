"""The line of an output that says why a job failed, out of what real programs leave behind it."""

# ruff: noqa: E501 - lines as programs write them

from __future__ import annotations

import pytest

from actors.providers.last_words import REASON_LENGTH, last_words, plain_text

TORCHRUN = """\
Traceback (most recent call last):
  File "/w/train.py", line 3, in <module>
    raise ValueError("the batch is empty")
ValueError: the batch is empty
E0101 10:00:00.000000 123 torch/distributed/elastic/multiprocessing/api.py:833] failed (exitcode: 1) local_rank: 0
Traceback (most recent call last):
  File "/opt/bin/torchrun", line 8, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-01-01_00:00:00
  host      : machine
  rank      : 0 (local_rank: 0)
  exitcode  : 1 (pid: 123)
  error_file: <N/A>
  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html
============================================================
"""
RICH = """\
\x1b[31m╭─\x1b[0m\x1b[31m────────────── \x1b[0m\x1b[1;31mTraceback (most recent call last)\x1b[0m\x1b[31m ─\x1b[0m\x1b[31m─╮\x1b[0m
\x1b[31m│\x1b[0m /w/train.py:3 in <module>                           \x1b[31m│\x1b[0m
\x1b[31m│\x1b[0m \x1b[31m❱ \x1b[0m3 raise ValueError("no data")                      \x1b[31m│\x1b[0m
\x1b[31m╰──────────────────────────────────────────────────────╯\x1b[0m
\x1b[1;91mValueError: \x1b[0mno data
\x1b[0m
"""
TRACKER = """\
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB
/usr/lib/python3.11/multiprocessing/resource_tracker.py:224: UserWarning: resource_tracker: There appear to be 1 leaked \
semaphore objects to clean up at shutdown
  warnings.warn('resource_tracker: There appear to be %d '
"""
RAY = """\
Job entrypoint command failed with exit code 1, last available logs (truncated to 20,000 chars):
2026-01-01 00:00:00,000\tINFO job_manager.py:531 -- Runtime env is setting up.
Running entrypoint for job raysubmit_1: false
"""

CASES = {
    "nothing": ("", ""),
    "a colour that is put back": ("no data\n\x1b[0m", "no data"),
    "a colour alone": ("\x1b[0m", ""),
    "a bar that is written over": (
        " 50%|█████     | 5/10 [00:01<00:01, 5.0it/s]\rfatal: no such file",
        "fatal: no such file",
    ),
    "a bar after the error": ("fatal: no such file\n\r 10%|█  | 1/10\r 20%|██ | 2/10\n", "fatal: no such file"),
    "a bar that was wiped": ("it broke\n 50%|█████|\r       \r", "50%|█████|"),
    "line ends of Windows": ("one\r\ntwo\r\n", "two"),
    "rich": (RICH, "ValueError: no data"),
    "torchrun": (TORCHRUN, "ValueError: the batch is empty"),
    "a rule alone": ("====\n----\n", ""),
    "resource_tracker": (TRACKER, "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
    "an exception of another name": (
        'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\npkg.Stopped: by hand\nbye\n',
        "pkg.Stopped: by hand",
    ),
    "a rank's exception": ("[rank0]: KeyError: 'lr'\nsaving nothing\n", "[rank0]: KeyError: 'lr'"),
    "an exception without words": ("step 3\nKeyboardInterrupt\n\n", "KeyboardInterrupt"),
    "the last of several": ("ValueError: one\nRuntimeError: two\n", "RuntimeError: two"),
    "an error of a compiler": ("x.c:3: error: no\nmake: *** [all] Error 2\nleaving\n", "make: *** [all] Error 2"),
    "a panic": ("thread 'main' panicked at src/main.rs:2\nnote: run with RUST_BACKTRACE=1\n", "thread 'main' panicked at src/main.rs:2"),
    "a line of a log": ("2026-01-01 00:00:00,000 [ERROR] trainer: it diverged\ndone\n", "2026-01-01 00:00:00,000 [ERROR] trainer: it diverged"),
    "a measure is no error": ("mean squared error 0.5\nKilled\n", "Killed"),
    "an error long ago": ("ValueError: old\n" + "step\n" * 64, "step"),
    "structured JSON": ('{"level": "ERROR", "message": "diverged\\nin epoch 2"}\n', "diverged in epoch 2"),
    "a title and a link": ("\x1b]0;train\x07\x1b]8;;http://x\x1b\\broken\x1b]8;;\x1b\\\n", "broken"),
    "an escape that is cut": ("broken\n\x1b[", "broken"),
    "eight-bit escapes": ("\x9b31mbroken\x9b0m", "broken"),
    "Ray's own lines": (RAY, ""),
    "Ray's own lines and the job's": (RAY + "out of luck\n", "out of luck"),
    "control characters": ("tab\there\x07", "tab here"),
    "long": ("x" * 9999, "x" * (REASON_LENGTH - 1) + "…"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_reason_is_the_line_that_says_it(case: str) -> None:
    output, words = CASES[case]
    assert last_words(output) == words
    assert last_words(output.encode()) == words


@pytest.mark.parametrize("unit", ["\x1b[", "\r", "\x1b]", "=", "[", "{", "\x1b[0;", "error: "])
def test_an_output_made_to_be_slow_is_read_in_no_time(unit: str) -> None:
    """One line of a megabyte; a quadratic expression would take hours."""
    assert len(last_words(unit * (1 << 20))) <= REASON_LENGTH


def test_a_text_is_shown_without_what_terminals_obey() -> None:
    assert plain_text("a\x1b[31mb\x1b[0m\r\n\x07c\n") == "ab\n c\n"
