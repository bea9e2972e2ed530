"""LogContext and the correlation ID through blocks, tasks, threads and generators."""

from __future__ import annotations

import concurrent.futures
import contextvars
import logging
import logging.handlers
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from logconf import (
    CorrelationIDFilter,
    LogContext,
    bind_correlation_id,
    carry_context,
    clear_context,
    clear_correlation_id,
    fresh_context,
    get_correlation_id,
    get_logger,
    set_correlation_id,
)
from logconf.context import current_correlation_id, current_frame
from logconf.testing import capture_logs

logger = get_logger("tests.context")


def fields() -> dict[str, Any]:
    frame = current_frame()
    return frame.fields if frame is not None else {}


def test_inner_fields_hide_outer_ones_and_are_restored() -> None:
    with LogContext(a=1, b=1):
        with LogContext(b=2):
            assert fields() == {"a": 1, "b": 2}
        assert fields() == {"a": 1, "b": 1}
    assert fields() == {}


def test_an_exception_leaves_it_clean() -> None:
    with pytest.raises(ValueError, match="no"), LogContext(a=1), LogContext(b=1):
        raise ValueError("no")
    assert fields() == {}


def test_it_covers_third_party_loggers() -> None:
    with capture_logs() as lines, LogContext(job_id="j"):
        logging.getLogger("somebody.elses").warning("x")
    assert lines[0]["extra"] == {"job_id": "j"}


def test_one_instance_may_be_entered_twice() -> None:
    context = LogContext(a=1)
    with context:
        with LogContext(b=2), context:
            assert fields() == {"a": 1, "b": 2}
        assert fields() == {"a": 1}
    assert fields() == {}


def test_leaving_out_of_order_takes_away_only_its_own_fields() -> None:
    first, second = LogContext(a=1, c=1), LogContext(b=2, c=2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert fields() == {"b": 2, "c": 2}
    second.__exit__(None, None, None)
    assert fields() == {}


def test_leaving_in_another_context_neither_raises_nor_takes_anything_away() -> None:
    def generate() -> Iterator[None]:
        with LogContext(inner=1), bind_correlation_id("inner"):
            yield

    generator = generate()
    contextvars.copy_context().run(next, generator)
    with LogContext(outer=1), bind_correlation_id("outer"):
        generator.close()
        assert fields() == {"outer": 1}
        assert get_correlation_id() == "outer"


async def test_an_async_generator_closed_by_another_task_does_no_harm() -> None:
    async def generate() -> AsyncIterator[int]:
        with LogContext(inner=1):
            yield 1

    generator = generate()

    async def start() -> None:
        assert await anext(generator) == 1  # type: ignore[arg-type]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start)
    with LogContext(outer=1):
        await generator.aclose()  # type: ignore[attr-defined]
        assert fields() == {"outer": 1}


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["enter", "leave", "leave oldest", "log"])), min_size=1, max_size=60
)


@given(STEPS)
def test_interleaved_tasks_never_see_each_others_fields(steps: list[tuple[int, str]]) -> None:
    """Any interleaving, any order of leaving: a task's lines have the fields of the blocks it is in, no other's."""
    clear_context()
    contexts = [contextvars.copy_context() for _ in range(4)]
    entered: list[list[tuple[LogContext, str]]] = [[] for _ in contexts]
    counter = 0
    with capture_logs() as lines:
        for task, step in steps:
            run = contexts[task].run
            if step == "enter":
                counter += 1
                name = f"task{task}_{counter}"
                context = LogContext(**{name: counter})
                run(context.__enter__)
                entered[task].append((context, name))
            elif step == "log":
                run(logger.info, "x")
                assert set(lines[-1]["extra"]) == {name for _, name in entered[task]}
            elif entered[task]:
                context, _ = entered[task].pop(0 if step == "leave oldest" else -1)
                run(context.__exit__, None, None, None)
        for task, context in enumerate(contexts):
            context.run(logger.info, "end")
            assert set(lines[-1]["extra"]) == {name for _, name in entered[task]}
    assert fields() == {}


@given(st.permutations(range(4)))
def test_trio_tasks_leave_in_any_order(order: list[int]) -> None:
    seen: dict[int, dict[str, Any]] = {}

    async def work(number: int, gate: trio.Event, entered: trio.Event) -> None:
        with LogContext(**{f"task{number}": number}), bind_correlation_id(f"id-{number}"):
            entered.set()
            await gate.wait()
            logger.info("%d", number)
        seen[number] = fields()

    async def main() -> None:
        gates = [trio.Event() for _ in order]
        async with trio.open_nursery() as nursery:
            for number, gate in enumerate(gates):
                entered = trio.Event()
                nursery.start_soon(work, number, gate, entered)
                await entered.wait()
            for number in order:
                gates[number].set()
                await trio.testing.wait_all_tasks_blocked()

    clear_context()
    with capture_logs() as lines:
        trio.run(main)
    assert [line["message"] for line in lines] == [str(number) for number in order]
    for line in lines:
        assert line["extra"] == {f"task{line['message']}": int(line["message"])}
        assert line["correlation_id"] == f"id-{line['message']}"
    assert set(seen) == set(order)
    assert not any(seen.values())


async def test_nurseries_and_worker_threads_inherit() -> None:
    async def child() -> None:
        await trio.to_thread.run_sync(lambda: logger.info("thread"))
        logger.info("child")

    with capture_logs() as lines, LogContext(job_id="j"), bind_correlation_id("the-id"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
    assert [line["message"] for line in lines] == ["thread", "child"]
    assert {(line["extra"]["job_id"], line["correlation_id"]) for line in lines} == {("j", "the-id")}


def test_a_plain_thread_needs_the_helper() -> None:
    seen: list[dict[str, Any]] = []
    with LogContext(job_id="j"):
        for target in (carry_context(lambda: seen.append(fields())), lambda: seen.append(fields())):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [{"job_id": "j"}, {}]


def test_carried_calls_may_overlap_and_do_not_see_each_other() -> None:
    barrier = threading.Barrier(2)

    def work(number: int) -> tuple[str, dict[str, Any]]:
        LogContext(**{f"own{number}": number}).__enter__()
        barrier.wait(60)
        return get_correlation_id(), fields()

    with LogContext(a=1), concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(carry_context(work), range(2)))
        mine = get_correlation_id()
    assert results == [(mine, {"a": 1, "own0": 0}), (mine, {"a": 1, "own1": 1})]


def test_an_id_is_made_once_and_kept() -> None:
    first = get_correlation_id()
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")
    assert get_correlation_id() == first
    clear_correlation_id()
    assert get_correlation_id() != first


def test_a_line_makes_an_id_too() -> None:
    with capture_logs() as lines:
        logger.info("x")
    assert lines[0]["correlation_id"] == get_correlation_id()


def test_set_accepts_and_replaces() -> None:
    assert set_correlation_id("request-abc-123") == "request-abc-123" == get_correlation_id()
    with capture_logs() as lines:
        replaced = set_correlation_id("bad id\r\nSet-Cookie: x")
    assert replaced == get_correlation_id()
    assert len(replaced) == 32
    assert lines[0]["level"] == "WARNING"
    assert "Set-Cookie" not in str(lines[0])


def test_binding_holds_inside_the_block_only() -> None:
    set_correlation_id("outer")
    with bind_correlation_id("message-1"):
        assert get_correlation_id() == "message-1"
    with bind_correlation_id(None):
        made = get_correlation_id()
    assert made != "outer"
    assert get_correlation_id() == "outer"


def test_clear_context_clears_both_and_nothing_else() -> None:
    other: contextvars.ContextVar[int] = contextvars.ContextVar("other", default=0)
    other.set(1)
    with LogContext(a=1):
        set_correlation_id("x")
        fresh = fresh_context()
        assert fresh.run(current_correlation_id) is None
        assert fresh.run(fields) == {}
        assert fresh.run(other.get) == 1
        assert fields() == {"a": 1}
        clear_context()
        assert (fields(), current_correlation_id()) == ({}, None)


def test_the_filter_offers_the_id_to_other_formats_and_threads() -> None:
    """A record that passed the filter shows the ID of where it was logged, wherever it is formatted."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)  # type: ignore[arg-type]
    handler.addFilter(CorrelationIDFilter())
    other = logging.getLogger("tests.filtered")
    other.propagate = False
    other.addHandler(handler)
    with bind_correlation_id("from-here"):
        other.warning("x")
    other.removeHandler(handler)
    record = records.get_nowait()
    assert logging.Formatter("%(correlation_id)s %(message)s").format(record) == "from-here x"
    with capture_logs() as lines, bind_correlation_id("elsewhere"):
        logging.getLogger().handle(record)
    assert lines[0]["correlation_id"] == "from-here"
    assert lines[0]["extra"] == {}


def test_a_handler_of_the_hosts_behind_ours_finds_the_id() -> None:
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    host = logging.handlers.QueueHandler(records)  # type: ignore[arg-type]
    with capture_logs(), bind_correlation_id("from-here"):
        logging.getLogger().addHandler(host)
        logging.getLogger("somebody.elses").warning("x")
        logging.getLogger().removeHandler(host)
    assert logging.Formatter("%(correlation_id)s").format(records.get_nowait()) == "from-here"


def test_the_filter_leaves_a_field_of_that_name_alone() -> None:
    with capture_logs() as lines, bind_correlation_id("mine"):
        logger.addFilter(CorrelationIDFilter())
        logger.info("x", extra={"correlation_id": "theirs"})
        logger.filters.clear()
    assert (lines[0]["correlation_id"], lines[0]["extra"]) == ("mine", {"correlation_id": "theirs"})
