"""What reached nobody: bounded, listable, logged without a flood."""

from __future__ import annotations

import logging

import trio

from actors.kernel import ActorRef, DeadLetters, Envelope, Mailbox, Registry


def record(letters: DeadLetters, *messages: object) -> None:
    for message in messages:
        letters.record(Envelope.of(message, "request"), "somebody", "stopped")


async def test_the_newest_are_kept_and_all_are_counted():
    letters = DeadLetters(capacity=2)
    record(letters, 1, 2, 3)
    assert [letter.envelope.message for letter in letters] == [2, 3]
    assert (len(letters), letters.total) == (2, 3)
    letters.clear()
    assert (len(letters), letters.total) == (0, 3)


async def test_each_is_a_warning_under_its_own_correlation_id(caplog):
    seen = []

    class Looker(logging.Handler):
        def emit(self, entry: logging.LogRecord) -> None:
            from logconf import get_correlation_id

            seen.append((entry.levelname, get_correlation_id(), entry.__dict__["reason"]))

    handler = Looker()
    logger = logging.getLogger("actors.kernel.dead_letters")
    logger.addHandler(handler)
    try:
        record(DeadLetters(), 1)
    finally:
        logger.removeHandler(handler)
    assert seen == [("WARNING", "request", "stopped")]


async def test_a_flood_of_dead_letters_is_no_flood_of_lines(autojump_clock, caplog):
    """Past the limit they are counted, and the next line says how many were left out."""
    letters = DeadLetters(lines=3, period=10.0)
    record(letters, *range(10))
    assert len(caplog.records) == 3
    await trio.sleep(10)
    record(letters, "one more")
    assert len(caplog.records) == 4
    assert caplog.records[-1].__dict__["suppressed"] == 7


async def test_every_drop_of_an_actors_mailbox_is_a_dead_letter():
    registry = Registry()
    ref = registry.actor("full", Mailbox(1, "drop_oldest"))
    ref.cast(1)
    ref.cast(2)
    assert [(letter.actor, letter.envelope.message, letter.reason) for letter in registry.dead_letters] == [
        ("full", 1, "dropped")
    ]
    assert ref.mailbox.statistics().dropped == 1


async def test_a_reference_of_its_own_has_dead_letters_of_its_own():
    one, other = ActorRef("one"), ActorRef("other")
    assert one.dead_letters is one.dead_letters
    assert one.dead_letters is not other.dead_letters
