"""A request and a retry over the network, for any person, any level and any content (D1, B14)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.job_requests.rights import THE_PROGRAM, Submitter, authorized, check_open, retried
from actors.job_requests.sources import NETWORK, RequestSource, closed_to
from actors.jobs.levels import LEVELS, base_priority
from actors.jobs.records import JobRequest, Rerun, Resources
from actors.jobs.refusal import RefusalKind, Refused

USUAL = JobRequest()
BY_CONFIGURATION = "the supervisor's configuration names them: users.ana.teams"
VALUES: dict[str, list[Any]] = {
    "provider": ["scripted"], "command": [("sh",)], "entry_point": ["train"], "params": [{"epochs": 3}],
    "cwd": ["/srv"], "env": [{"A": "b"}], "env_from": [("A",), ()], "inherited_env": [{}, {"PATH": "/x"}],
    "spec": [{"a": 1}], "resources": [Resources(2)], "user_id": ["ana", "bo"],
    "org_id": ["lab", "shop"], "team_id": ["vision", "speech", ""],
    "user_levels": [(level,) for level in LEVELS] + [("viewer", "admin"), (" LEAD ",)], "config_name": ["run"],
    "hardware_type": ["h100"], "estimated_cost": [0.0, 1.5], "priority_override": [0, 50], "max_attempts": [2],
    "idempotency_key": ["k"], "max_runtime": [60.0], "requires_approval": ["please"],
    "group": ["rates"], "after": [("earlier",)], "after_mode": ["ended"], "start_after": ["+2h"], "notify": [("chat",)],
    "rerun": [Rerun(2)], "parameters": [{"lr": "0.1"}], "best": [{"loss": "min"}],
}  # fmt: skip
ASKED = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
).map(lambda fields: JobRequest(**fields))  # fmt: skip
PEOPLE = st.builds(
    Submitter,
    source=st.sampled_from(sorted(NETWORK)),
    user_id=st.just("ana"),
    level=st.sampled_from(LEVELS),
    org_id=st.sampled_from([None, "lab"]),
    teams=st.sampled_from([(), ("vision",)]),
)


def test_every_field_is_drawn() -> None:
    assert list(VALUES) == [attribute.name for attribute in attrs.fields(JobRequest)]


@pytest.mark.parametrize("source", sorted(NETWORK))
def test_an_empty_name_of_a_team_is_none(source: RequestSource) -> None:
    """It is not one that a token names, and limits would count it as a team."""
    assert authorized(JobRequest(team_id=""), Submitter(source, "ana", "admin")).team_id is None


@pytest.mark.parametrize("field", VALUES)
def test_users_of_this_machine_are_told_nothing_of_tokens(field: str) -> None:
    """They have none: what they may do is in the configuration."""
    for level in ("viewer", "admin"):
        for value in VALUES[field]:
            try:
                authorized(JobRequest(**{field: value}), Submitter(RequestSource.SOCKET_OTHER, "ana", level))
            except Refused as error:
                assert "token" not in str(error)  # noqa: PT017 - most values are accepted


@pytest.mark.parametrize(
    ("source", "teams", "message"),
    [
        (RequestSource.TCP, (), "team_id: must be one that your token names (it names none)"),
        (RequestSource.TCP, ("speech", "text"), "team_id: must be one that your token names (speech, text)"),
        (RequestSource.SOCKET_OTHER, (), f"team_id: must be one of your teams (you have none); {BY_CONFIGURATION}"),
        (RequestSource.SOCKET_OTHER, ("speech",), f"team_id: must be one of your teams (speech); {BY_CONFIGURATION}"),
    ],
)
def test_a_team_that_is_none_of_theirs_is_refused_with_who_names_them(
    source: RequestSource, teams: tuple[str, ...], message: str
) -> None:
    with pytest.raises(Refused) as refused:
        authorized(JobRequest(team_id="vision"), Submitter(source, "ana", "admin", teams=teams))
    assert str(refused.value) == message


@given(asked=ASKED, who=PEOPLE)
def test_what_is_accepted_over_the_network_says_nothing_that_its_submitter_may_not(
    asked: JobRequest, who: Submitter
) -> None:
    """Or it is refused by the name of a field that was given."""
    refusal = None
    try:
        taken = authorized(asked, who, "job 2: ")
    except Refused as error:
        refusal = error
    if refusal is not None:
        assert refusal.field is not None
        assert str(refusal).startswith(f"job 2: {refusal.field}: ")
        assert getattr(asked, refusal.field) != getattr(USUAL, refusal.field)
        return
    assert all(getattr(taken, field) == getattr(USUAL, field) for field in closed_to(who.source))
    assert taken.team_id in (None, *who.teams)
    assert taken.priority_override is None or who.level in ("lead", "admin")
    if who.level != "admin":
        assert (taken.user_id, taken.org_id) == (who.user_id, who.org_id)
        assert base_priority(taken.user_levels) == base_priority([who.level])
    assert authorized(taken, who) == taken


@given(before=ASKED, who=PEOPLE)
def test_a_retry_over_the_network_is_a_request_that_its_person_could_have_made(
    before: JobRequest, who: Submitter
) -> None:
    """Whatever the job was; a command alone is refused. Another person's job becomes one of who retries."""
    before = attrs.evolve(before, user_id=before.user_id or "bo")
    if before.command is not None:
        with pytest.raises(Refused) as refused:
            retried(before, who, "j1")
        assert (refused.value.kind, refused.value.field) == (RefusalKind.FORBIDDEN, "command")
        return
    again = retried(before, who, "j1")
    assert authorized(again, who) == again
    assert (again.idempotency_key, again.inherited_env, again.env) == (None, None, {})
    assert (again.entry_point, again.params, again.spec) == (before.entry_point, before.params, before.spec)
    if before.user_id != who.user_id:
        assert (again.user_id, again.org_id, again.user_levels) == (who.user_id, who.org_id, (who.level,))


@given(asked=ASKED, who=PEOPLE)
def test_for_another_user_of_the_machine_it_is_as_over_tcp(asked: JobRequest, who: Submitter) -> None:
    def outcome(source: RequestSource) -> object:
        try:
            return authorized(asked, attrs.evolve(who, source=source))
        except Refused as error:
            return error.kind, error.field

    assert outcome(RequestSource.SOCKET_OTHER) == outcome(RequestSource.TCP)


@given(asked=ASKED)
def test_the_program_and_the_supervisors_user_may_set_everything(asked: JobRequest) -> None:
    check_open(asked, RequestSource.EMBEDDED)
    owner = Submitter(RequestSource.SOCKET_OWNER, "op")
    assert authorized(asked, owner) == attrs.evolve(asked, user_id=asked.user_id or "op")
    for who in (owner, THE_PROGRAM):
        kept = attrs.evolve(asked, user_id="bo")
        assert retried(kept, who, "j1") == attrs.evolve(kept, idempotency_key=None, start_after=None)
