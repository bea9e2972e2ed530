"""Actors by name."""

from __future__ import annotations

import pytest

from actors.kernel import Registry, UnknownActor


async def test_names_are_found_in_the_order_they_were_made():
    registry = Registry()
    refs = [registry.actor(name) for name in "cab"]
    assert list(registry) == refs
    assert registry.whereis("a") is refs[1]
    assert ("a" in registry, "z" in registry, len(registry)) == (True, False, 3)


async def test_a_name_is_taken_once():
    registry = Registry()
    registry.actor("poller")
    with pytest.raises(ValueError, match="named 'poller' already"):
        registry.actor("poller")


async def test_an_unknown_name_is_an_error_with_a_suggestion():
    registry = Registry()
    registry.actor("scheduler")
    with pytest.raises(UnknownActor) as caught:
        registry.whereis("schedular")
    assert (caught.value.suggestion, caught.value.reason) == ("scheduler", "unknown")
    assert caught.value.__notes__ == ["did you mean 'scheduler'?"]


async def test_a_cast_by_name_arrives_and_to_nobody_is_a_dead_letter(crew):
    registry = Registry()
    await crew.start(registry.actor("known"))
    registry.cast("known", 1)
    registry.cast("unknown", 2)
    assert await registry.call("known", 3) == 3
    assert crew.seen == [1, 3]
    assert [(letter.actor, letter.reason) for letter in registry.dead_letters] == [("unknown", "unknown")]


async def test_a_removed_name_is_free_and_its_queue_is_not_lost_in_silence():
    registry = Registry()
    old = registry.actor("poller")
    old.cast("never")
    registry.remove("poller")
    assert registry.actor("poller") is not old
    assert [letter.envelope.message for letter in registry.dead_letters] == ["never"]
    assert old.state == "gone"


async def test_a_running_actor_is_not_removed(crew):
    registry = Registry()
    await crew.start(registry.actor("busy"))
    with pytest.raises(ValueError, match="stop it first"):
        registry.remove("busy")
