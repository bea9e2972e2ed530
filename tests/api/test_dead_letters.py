"""Messages that were not handled can be seen, sent again and dropped."""

from __future__ import annotations

from actors.kernel import Actor, actor_spec
from supervision import open_supervisor


class Fragile(Actor):
    """Breaks on the first message it gets, and on no other."""

    broken = False
    handled: list[object] = []  # noqa: RUF012 - shared by all incarnations on purpose

    async def handle(self, message):
        if not Fragile.broken:
            Fragile.broken = True
            raise RuntimeError("not this one")
        Fragile.handled.append(message)


async def test_a_message_that_crashed_its_actor_is_listed_replayed_and_gone(edge):
    ref = edge.runtime.registry.actor("fragile")
    Fragile.broken, Fragile.handled = False, []
    async with open_supervisor([actor_spec(ref, Fragile)]):
        ref.cast("hello")
        await ref.call("between")
        (kept,) = (await edge.http.get("/api/actors/quarantine")).json()["quarantine"]
        assert (kept["actor"], kept["message"], kept["attempt"]) == ("fragile", "'hello'", 1)
        assert "not this one" in kept["cause"]
        answer = await edge.http.post(f"/api/actors/quarantine/{kept['id']}/replay", json={})
        assert answer.json() == {"quarantine": []}
        await ref.call("after")
        assert Fragile.handled == ["between", "hello", "after"]
    assert (await edge.http.delete(f"/api/actors/quarantine/{kept['id']}")).status_code == 404


async def test_a_message_that_reached_nobody_is_a_dead_letter(edge):
    edge.runtime.registry.cast("nobody", "hello")
    (letter,) = (await edge.http.get("/api/actors/dead-letters")).json()["dead_letters"]
    assert (letter["actor"], letter["message"], letter["reason"]) == ("nobody", "'hello'", "unknown")
