"""A restore from a backup (F3) at the end of some worlds: what the machine, its clients and the checker go back to.

The backup is older than the world. The providers' servers have runs that no row knows of, jobs that were acknowledged
later are lost with their rows, and everything that had not ended may have gone on since. What must hold afterwards is
what must always hold: at most one run each, nothing starts while the queue is paused, jobs end as they ran.
"""

from __future__ import annotations

from datetime import datetime

import attrs
import trio

from actors.ledger import restoring
from actors.simulation.checker import Checker
from actors.simulation.database import engine
from actors.simulation.process import Process
from actors.simulation.replay import JobAccount, Replay
from actors.simulation.rules import Rule
from actors.simulation.world import World
from actors.store import InlineExecutor, Store, lanes
from actors.store.restored import Restore


@attrs.frozen
class Backup:
    """A copy of the database, and what the checker knew when it was made.

    ``accounts``: what the events up to ``last`` say of each job. ``known``: the jobs that clients knew of.
    """

    image: bytes
    began_at: datetime
    accounts: dict[str, JobAccount]
    last: int
    known: frozenset[str]
    changed_limits: dict[str, int]


def take_backup(world: World, replay: Replay) -> Backup:
    """Copy the database as it is committed now."""
    return Backup(
        image=world.database.image(),
        began_at=world.clock.now(),
        accounts={job_id: attrs.evolve(account) for job_id, account in replay.jobs.items()},
        last=replay.last,
        known=frozenset(world.known),
        changed_limits=dict(world.changed_limits),
    )


def restore(backup: Backup, process: Process) -> None:
    """Replace the database while no process runs; ``process`` is the last one that did."""
    world, checker, replay = process.world, process.checker, process.replay
    world.say(f"restored from a backup of {backup.began_at}")
    world.database.replace(backup.image)
    world.restored = True
    world.known = {job_id: known for job_id, known in world.known.items() if job_id in backup.known}
    world.change_limits(backup.changed_limits)
    replay.begin_again(backup.accounts, backup.last)
    process.read_unpublished()  # committed before the backup was made, and not yet published then
    _begin_again(checker, process)
    with world.database.disk.silent():
        trio.run(_mark, world, backup)
    process.read_unpublished()


def _begin_again(checker: Checker, process: Process) -> None:
    checker.restored()
    ((newest,),) = process.world.database.look("SELECT coalesce(max(notification_id), 0) FROM notifications")
    process.targets.restored(newest)


async def _mark(world: World, backup: Backup) -> None:
    lanes.forget()
    store = Store(None, executor=InlineExecutor(), now=world.clock.now, engine=engine())
    await store.open()
    last = Restore(world.clock.now(), backup.began_at, "original")
    begun = await store.write(lambda tx: restoring.begin(tx, last, f"restored-{world.seed}"))
    await store.aclose()
    ((world.marked,),) = world.database.look("SELECT count(*) FROM queue_entries WHERE restored = 'look_up'")
    text = f"{begun.to_look_up} are to be looked up, {world.marked} are marked"
    world.require(begun.to_look_up == world.marked, Rule.SHOWN, text)
