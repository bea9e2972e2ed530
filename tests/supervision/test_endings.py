"""Judging an ending, in trio's order: interrupts, failures, cancellations."""

import pytest
import trio
import trio.testing

from supervision import ChildSpec, Supervisor, open_supervisor
from supervision.errors import leaves
from supervision.incarnations import classify_end
from supervision.testing import Act, recorded


def a_cancelled():
    """A real trio.Cancelled, which cannot be made by hand."""
    kept = []

    async def main():
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as error:
                kept.append(error)
                raise

    trio.run(main)
    return kept[0]


CANCELLED = a_cancelled()


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ValueError(), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(), "interrupted"),
        (GeneratorExit(), "interrupted"),
        (BaseExceptionGroup("", [CANCELLED, ValueError()]), "failed"),
        (BaseExceptionGroup("", [CANCELLED, ExceptionGroup("", [ValueError()])]), "failed"),
        (BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [KeyboardInterrupt()])]), "interrupted"),
        (BaseExceptionGroup("", [CANCELLED, SystemExit(3)]), "interrupted"),
    ],
)
def test_the_order_of_judging(error, word):
    verdict = classify_end(error, cancelled=False, at=0.0)
    assert (verdict.reason, verdict.cause) == (word, error)


def test_without_an_exception_it_returned_or_was_cancelled():
    assert classify_end(None, cancelled=False, at=0.0).reason == "returned"
    assert classify_end(None, cancelled=True, at=0.0).reason == "cancelled"


def test_leaves_go_all_the_way_down():
    one, two, three = ValueError(1), ValueError(2), ValueError(3)
    assert list(leaves(ExceptionGroup("", [one, ExceptionGroup("", [two, ExceptionGroup("", [three])])]))) == [
        one,
        two,
        three,
    ]


async def test_a_group_is_one_failure_and_the_whole_of_it_is_the_cause(stage, autojump_clock):
    """`except Exception` misses a group that holds a Cancelled beside it."""
    entries = []

    async def child(*, task_status):
        entries.append(trio.current_time())
        task_status.started()
        if len(entries) == 1:
            raise BaseExceptionGroup("both", [CANCELLED, ValueError("boom"), KeyError("too")])
        await trio.sleep_forever()

    supervisor = Supervisor([ChildSpec("x", child)], max_restarts=1)
    with recorded(supervisor) as reports:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    exits = [r.cause for r in reports if r.kind == "exit"]
    assert [len(cause.exceptions) for cause in exits] == [3]
    assert len(entries) == 2


async def test_a_nursery_of_the_childs_that_fails_is_one_restart(autojump_clock):
    entries = []

    async def fails():
        raise ValueError

    async def child(*, task_status):
        entries.append(1)
        task_status.started()
        async with trio.open_nursery() as nursery:
            if len(entries) == 1:
                nursery.start_soon(fails)
                nursery.start_soon(fails)
            nursery.start_soon(trio.sleep_forever)

    async with open_supervisor([ChildSpec("x", child)], max_restarts=1) as supervisor:
        await trio.sleep(1)
        assert supervisor.children()[0].restarts == 1


async def test_a_cancelled_raised_out_of_its_place_is_a_failure(stage, autojump_clock):
    """Stored and raised again elsewhere, it would end the supervisor in silence."""
    async with open_supervisor([stage.spec("x", Act(lives=1, error=CANCELLED), Act())]) as supervisor:
        await trio.sleep(2)
        assert supervisor.children()[0].restarts == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt("from within"), SystemExit(3)])
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_an_interrupt_from_a_child_stops_the_rest_in_order_and_gets_out_bare(
    stage, autojump_clock, error, strategy
):
    children = [
        stage.spec("a", Act(cleanup=1)),
        stage.spec("x", Act(lives=1, error=error)),
        stage.spec("z", Act(cleanup=1)),
    ]
    with pytest.raises(type(error)) as caught:
        async with open_supervisor(children, strategy=strategy):
            await trio.sleep_forever()
    assert caught.value is error
    assert stage.happened("end") == ["x", "z", "a"]
    assert stage.scripts["x"].entries == 1


async def test_a_childs_group_with_an_interrupt_in_it_leaves_whole(stage, autojump_clock):
    group = BaseExceptionGroup("", [ValueError(), KeyboardInterrupt()])
    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_supervisor([stage.spec("x", Act(lives=1, error=group))]):
            await trio.sleep_forever()
    assert caught.value is group


async def test_an_interrupt_during_the_first_start_does_not_wait_for_it(stage, autojump_clock):
    children = [stage.spec("a", Act(lives=1, error=KeyboardInterrupt())), stage.spec("b", Act(start=3600))]
    with pytest.raises(KeyboardInterrupt):
        await Supervisor(children).run()
    assert trio.current_time() == 1


async def test_an_interrupt_during_a_stop_gets_out_too(autojump_clock):
    async def child(*, task_status):
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise SystemExit(4)

    with pytest.raises(SystemExit):
        async with open_supervisor([ChildSpec("x", child)]):
            pass


async def test_an_interrupt_goes_up_through_inner_supervisors(stage, autojump_clock):
    inner = Supervisor([stage.spec("x", Act(lives=1, error=SystemExit(5)))])
    with pytest.raises(SystemExit):
        async with open_supervisor([stage.spec("a"), ChildSpec("inner", inner.run)]):
            await trio.sleep_forever()
    assert stage.happened("end") == ["x", "a"]
