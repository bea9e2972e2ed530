"""Reports: what is told, in what order, to whom, and how loud."""

import logging

import pytest
import trio
import trio.testing

from logconf import LogContext, get_correlation_id, set_correlation_id
from supervision import Backoff, ChildSpec, RestartIntensityReached, Supervisor, open_supervisor
from supervision.reports import READER_BUFFER, Reader, Report
from supervision.testing import Act, lines, recorded

ENDLESS = 10**9


async def drained(channel):
    return [report async for report in channel]


async def test_the_life_of_a_child_is_told_step_by_step(stage, autojump_clock):
    supervisor = Supervisor(
        [stage.spec("x", Act(start=1, lives=2), Act())], backoff=Backoff(initial=3, maximum=9, jitter=False)
    )
    with recorded(supervisor) as reports, trio.move_on_after(10):
        await supervisor.run()
    assert [(r.at, r.kind, r.incarnation, r.reason, r.delay, r.budget_used) for r in reports] == [
        (0, "start", 1, None, None, 0),
        (1, "ready", 1, None, None, 0),
        (3, "exit", 1, "failed", None, 0),
        (3, "backoff", 1, "restart", 3, 1),
        (6, "restart", 1, "restart", None, 1),
        (6, "start", 2, None, None, 1),
        (6, "ready", 2, None, None, 1),
        (10, "stopping", 2, None, None, 0),
        (10, "stopped", 2, "stopped", None, 0),
    ]
    assert {r.supervisor for r in reports} == {"supervisor"}
    assert isinstance(reports[2].cause, ValueError)


async def test_reports_can_be_subscribed_to_before_the_run_and_end_with_it(stage, autojump_clock):
    supervisor = Supervisor(stage.specs("a"))
    async with supervisor.reports() as channel, trio.open_nursery() as nursery:
        assert isinstance(channel, trio.MemoryReceiveChannel)
        await nursery.start(supervisor.run)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            kinds = [report.kind for report in await drained(channel)]
    assert kinds == ["start", "ready", "stopping", "stopped"]


async def test_a_subscription_tells_what_happens_from_now_on(stage, autojump_clock):
    async with open_supervisor(stage.specs("a")) as supervisor, supervisor.reports() as channel:
        await supervisor.start_child(stage.spec("b"))
        assert [(channel.receive_nowait().kind, channel.statistics().current_buffer_used) for _ in "ab"] == [
            ("start", 1),
            ("ready", 0),
        ]


async def test_readers_do_not_disturb_each_other_or_the_supervisor(stage, autojump_clock):
    async with open_supervisor() as supervisor:
        async with supervisor.reports() as one:
            async with supervisor.reports() as two:
                await two.aclose()
                await supervisor.start_child(stage.spec("a"))
            await supervisor.start_child(stage.spec("b"))
            assert one.statistics().current_buffer_used == 4
        await supervisor.start_child(stage.spec("c"))


async def test_a_log_handler_that_raises_does_not_end_the_tree(stage, autojump_clock, caplog):
    caplog.set_level(logging.WARNING, "supervision")

    class Broken(logging.Handler):
        def emit(self, record):
            raise OSError("the log server cannot be reached")

    broken = Broken()
    logging.getLogger().addHandler(broken)
    try:
        async with open_supervisor([stage.spec("a", Act(lives=1), Act())]) as supervisor:
            await trio.sleep(10)
            assert [child.restarts for child in supervisor.children()] == [1]
    finally:
        logging.getLogger().removeHandler(broken)


async def test_a_reader_that_is_too_slow_gets_one_lost_report_with_the_count(stage, autojump_clock):
    acts = [Act(lives=0)] * 600 + [Act()]
    supervisor = Supervisor([stage.spec("x", *acts)], max_restarts=ENDLESS)
    async with supervisor.reports() as channel:
        with recorded(supervisor) as everything, trio.move_on_after(10):
            await supervisor.run()
        got = await drained(channel)
    assert (got[0].kind, got[0].child, got[0].count) == ("lost", None, len(everything) - READER_BUFFER)
    assert lines(got[1:]) == lines(everything[-READER_BUFFER:])


async def test_a_second_gap_has_a_count_of_its_own():
    """The buffer's queue is trio's own (`_state.data`): the `lost` report stands where the gap is."""
    reader = Reader()
    for number in range(READER_BUFFER + 5):
        reader.put(Report("start", "top", str(number)))
    assert [(r.kind, r.count, r.child) for r in (reader.channel.receive_nowait() for _ in "ab")] == [
        ("lost", 5, None),
        ("start", 0, "5"),
    ]
    for number in range(READER_BUFFER):
        reader.put(Report("start", "top", str(number)))
    assert reader.channel.receive_nowait().count == READER_BUFFER - 1
    assert reader.channel.statistics().current_buffer_used == READER_BUFFER
    reader.close()
    reader.channel.close()


async def test_reports_include_those_of_inner_supervisors_with_their_path(stage, autojump_clock):
    deep = Supervisor([stage.spec("x", Act(lives=1), Act())])
    inner = Supervisor([ChildSpec("deep", deep.run)], name="unused")
    top = Supervisor([ChildSpec("inner", inner.run)], name="top")
    with recorded(top) as reports, trio.move_on_after(2):
        await top.run()
    paths = {(r.supervisor, r.child) for r in reports}
    assert paths == {("top", "inner"), ("top/inner", "deep"), ("top/inner/deep", "x")}
    assert deep.path == "top/inner/deep"


async def test_a_supervisor_inside_a_worker_is_found_by_its_name(stage, autojump_clock):
    async def worker(*, task_status):
        await Supervisor(stage.specs("x"), name="own").run(task_status=task_status)

    top = Supervisor([ChildSpec("worker", worker)], name="top")
    with recorded(top) as reports, trio.move_on_after(2):
        await top.run()
    assert {r.supervisor for r in reports} == {"top", "top/worker/own"}


async def test_everything_is_logged_once_at_its_level(stage, caplog, autojump_clock):
    caplog.set_level(logging.DEBUG, logger="supervision")
    acts = [Act(lives=1), Act(instead="raise"), Act(beats=1, beats_for=1, cleanup=10)]
    inner = Supervisor(
        [stage.spec("x", *acts, heartbeat=2, shutdown=3)],
        max_restarts=2,
        period=1000,
        backoff=Backoff(initial=1, maximum=1, jitter=False),
    )
    top = Supervisor([ChildSpec("inner", inner.run)], max_restarts=0)
    with recorded(top) as reports, pytest.raises(RestartIntensityReached):
        await top.run()
    levels = {}
    for record in caplog.records:
        levels.setdefault(record.report, set()).add(record.levelname)
    assert levels == {
        "start": {"DEBUG"},
        "ready": {"DEBUG"},
        "restart": {"WARNING"},
        "backoff": {"WARNING"},
        "exit": {"WARNING"},
        "start_failed": {"ERROR"},
        "hung": {"ERROR"},
        "overrun": {"ERROR"},
        "give_up": {"ERROR"},
    }
    assert len(caplog.records) == len(reports)


async def test_a_log_line_has_the_facts_as_fields_and_the_causes_traceback(stage, caplog, autojump_clock):
    caplog.set_level(logging.DEBUG, logger="supervision")
    with trio.move_on_after(1):
        await Supervisor([stage.spec("x", Act(lives=0), Act())], name="top").run()
    record = next(record for record in caplog.records if record.report == "exit")
    assert (record.supervisor, record.child, record.incarnation, record.reason) == ("top", "x", 1, "failed")
    assert record.exc_info[0] is ValueError
    stopped = next(record for record in caplog.records if record.report == "stopped")
    assert stopped.levelname == "DEBUG"


async def test_a_plain_return_is_no_warning(stage, caplog, autojump_clock):
    caplog.set_level(logging.DEBUG, logger="supervision")
    with trio.move_on_after(1):
        await Supervisor([stage.spec("x", Act(lives=0, ends="return"), restart="transient")]).run()
    assert [record.levelname for record in caplog.records if record.report == "exit"] == ["DEBUG"]


async def test_a_child_starts_with_log_context_and_correlation_id_cleared(autojump_clock):
    """One started by a request would carry it for ever (A11)."""
    from logconf.context import current_correlation_id, current_frame

    seen = []

    async def child(*, task_status):
        seen.append((current_correlation_id(), current_frame()))
        task_status.started()
        await trio.sleep_forever()

    set_correlation_id("request-1")
    with LogContext(user="ana"):
        async with open_supervisor([ChildSpec("a", child)]) as supervisor:
            await supervisor.start_child(ChildSpec("b", child))
            assert get_correlation_id() == "request-1"
    assert seen == [(None, None)] * 2


async def test_the_exit_report_has_the_correlation_id_the_child_worked_under(autojump_clock):
    async def child(*, task_status):
        task_status.started()
        set_correlation_id("job-7")
        raise ValueError

    supervisor = Supervisor([ChildSpec("x", child, restart="temporary")])
    with recorded(supervisor) as reports, trio.move_on_after(1):
        await supervisor.run()
    assert [(r.kind, r.correlation_id) for r in reports] == [("start", None), ("ready", None), ("exit", "job-7")]


async def test_simultaneous_ends_are_judged_and_reported_in_start_order(stage, autojump_clock):
    """By the supervisor's task, whatever order trio runs the children in."""
    supervisor = Supervisor([stage.spec(name, Act(lives=1), Act()) for name in "abcdefgh"], max_restarts=8)
    with recorded(supervisor) as reports, trio.move_on_after(2):
        await supervisor.run()
    for kind in ("exit", "restart", "start", "ready"):
        told = [r.child for r in reports if r.kind == kind]
        assert told[-8:] == list("abcdefgh")


async def test_the_live_tree_is_children_of_children(stage, autojump_clock):
    inner = Supervisor([stage.spec("x"), stage.spec("y")])
    async with open_supervisor([stage.spec("a"), ChildSpec("inner", inner.run)]) as supervisor:
        await inner.stop_child("y")
        tree = [(c.id, c.state, [(d.id, d.state) for d in c.children]) for c in supervisor.children()]
        assert tree == [("a", "running", []), ("inner", "running", [("x", "running"), ("y", "stopped")])]


async def test_a_restarted_inner_supervisor_begins_afresh(stage, autojump_clock):
    inner = Supervisor([stage.spec("x", Act(lives=2), Act())], max_restarts=0)
    async with open_supervisor([ChildSpec("inner", inner.run)]) as supervisor:
        await inner.start_child(stage.spec("guest"))
        await trio.sleep(3)
        assert [child.id for child in supervisor.children()[0].children] == ["x"]
