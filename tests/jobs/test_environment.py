"""What a job inherits of its submitter's environment: names, patterns, all; and what was asked for and not set."""

from __future__ import annotations

import pytest

from actors.jobs.codec import fingerprint
from actors.jobs.environment import DEFAULT_ENV_FROM, beyond_usual, inherited, not_set, with_usual
from actors.jobs.records import JobRequest

ENVIRON = {"PATH": "/bin", "WANDB_API_KEY": "k", "WANDB_MODE": "offline", "MY_TOKEN": "t", "all": "odd", "\udcff": "x"}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("PATH",), {"PATH"}),
        (("WANDB_*",), {"WANDB_API_KEY", "WANDB_MODE"}),
        (("*_TOKEN", "WANDB_MOD?"), {"MY_TOKEN", "WANDB_MODE"}),
        (("[MN]*_TOKE?",), {"MY_TOKEN"}),
        (("P[A]TH", "MY_TOK?N"), {"PATH", "MY_TOKEN"}),
        (("all",), {"PATH", "WANDB_API_KEY", "WANDB_MODE", "MY_TOKEN", "all"}),
        (("*",), {"PATH", "WANDB_API_KEY", "WANDB_MODE", "MY_TOKEN", "all"}),
        (("wandb_*", "NOT_SET"), set()),
    ],
)
def test_variables_are_taken_by_name_by_pattern_or_all(names: tuple[str, ...], found: set[str]) -> None:
    assert set(inherited(names, ENVIRON)) == found


def test_names_that_were_asked_for_and_not_set_are_known_the_usual_ones_left_out() -> None:
    names = with_usual(("WANDB_*", "HF_TOKEN", "AWS_*", "all", "HF_TOKEN"))
    assert names == (*DEFAULT_ENV_FROM, "WANDB_*", "HF_TOKEN", "AWS_*", "all")
    assert not_set(names, ["WANDB_MODE", "PATH"]) == ["HF_TOKEN", "AWS_*"]


def test_another_machine_gets_what_was_asked_for_beside_the_usual_names() -> None:
    """PATH and HOME mean nothing there, unless a job lists them itself."""
    found = {"PATH": "/bin", "CUDA_HOME": "/cuda", "WANDB_MODE": "offline", "OTHER": "1"}
    assert beyond_usual(DEFAULT_ENV_FROM, found) == {}
    assert beyond_usual(with_usual(["WANDB_*"]), found) == {"WANDB_MODE": "offline"}
    assert beyond_usual(with_usual(["all"]), found) == {"WANDB_MODE": "offline", "OTHER": "1"}
    assert beyond_usual(("PATH",), {"PATH": "/bin"}) == {"PATH": "/bin"}


def test_what_is_inherited_is_no_part_of_what_is_asked() -> None:
    """A configuration that names one more variable makes no other job of a file that is submitted again."""
    plain = JobRequest(command=("a",))
    assert fingerprint(plain) == fingerprint(JobRequest(command=("a",), env_from=("X",), inherited_env={"X": "1"}))
    assert fingerprint(plain) != fingerprint(JobRequest(command=("a",), env={"X": "1"}))
