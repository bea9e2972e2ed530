"""What it means that sbatch failed: only what is surely no acceptance is said to be one."""

from __future__ import annotations

import pytest

from actors.providers.errors import Forbidden, Invalid, OutcomeUnknown, RateLimited, Unavailable
from actors.providers.slurm.commands import Answer
from actors.providers.slurm.refusals import refusal

REFUSED = "Batch job submission failed: "


@pytest.mark.parametrize(
    "words",
    [
        "Invalid generic resource (gres) specification",
        "Memory specification can not be satisfied",
        REFUSED + "Requested node configuration is not available",
        "invalid partition specified: nope",
        REFUSED + "Invalid account or account/partition combination specified",
        "Invalid --time specification",
        REFUSED + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        REFUSED + "Requested reservation is invalid",
        "unrecognized option '--gres-flag'",
        "invalid partition specified: timeout",
        "invalid partition specified: AssocMaxSubmitJobLimit",
    ],
)
def test_what_slurm_refuses_is_invalid_and_its_words_are_passed_on(words: str) -> None:
    error = refusal(words, "cluster")
    assert type(error) is Invalid
    assert words in str(error)


@pytest.mark.parametrize(
    "words",
    [
        "AssocMaxSubmitJobLimit; " + REFUSED + "Job violates accounting/QOS policy (job submit limit, ...)",
        "QOSMaxSubmitJobPerUserLimit; " + REFUSED + "Job violates accounting/QOS policy",
        "AssocGrpSubmitJobsLimit; " + REFUSED + "Job violates accounting/QOS policy",
        "QOSGrpSubmitJobsLimit; " + REFUSED + "Job violates accounting/QOS policy",
        "MaxSubmitJobsPerAccount; " + REFUSED + "Job violates accounting/QOS policy (job submit limit, ...)",
        REFUSED + "Resource temporarily unavailable",
        REFUSED + "I/O error writing script/environment to file",
        REFUSED + "Required node not available (down, drained or reserved)",
        REFUSED + "Required partition not available (inactive or drain)",
        "Slurm temporarily unable to accept job, sleeping and retrying",
    ],
)
def test_a_limit_of_submissions_is_no_fault_of_the_job(words: str) -> None:
    assert type(refusal(words, "cluster")) is RateLimited


def test_a_user_who_may_not_submit_at_all_pauses_the_provider() -> None:
    assert type(refusal(REFUSED + "Access/permission denied", "cluster")) is Forbidden


@pytest.mark.parametrize(
    "words",
    [
        REFUSED + "Unable to contact slurm controller (connect failure)",
        "Munge encode failed: Failed to access '/run/munge/munge.socket.2': No such file or directory",
        REFUSED + "Protocol authentication error",
        "Could not establish a configuration source",
    ],
)
def test_a_controller_that_is_away_is_unavailable(words: str) -> None:
    assert type(refusal(words, "cluster")) is Unavailable


@pytest.mark.parametrize(
    "words",
    [
        REFUSED + "Unspecified error",
        REFUSED + "Socket timed out on send/recv operation",
        REFUSED + "Zero Bytes were transmitted or received",
        REFUSED + "Unexpected message received",
        REFUSED + "Communication connection failure",
        "Invalid --time specification; " + REFUSED + "Socket timed out on send/recv operation",
        "Segmentation fault",
        "exit status -9",
        "",
        "Plötzlich etwas anderes",
    ],
)
def test_whatever_else_is_an_unknown_outcome(words: str) -> None:
    assert type(refusal(words, "cluster")) is OutcomeUnknown


def test_the_commands_own_name_is_left_out_of_what_people_read() -> None:
    error = "sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: No\n"
    assert Answer(1, "", error).words == "Memory specification can not be satisfied; Batch job submission failed: No"
    assert Answer(1, "", "").words == "exit status 1"
    assert len(Answer(1, "", "x" * 5000).words) == 500
