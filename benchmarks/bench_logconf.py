"""What one log call costs, compared with a baseline and with other loggers: `python benchmarks/bench_logconf.py`.

The baseline is the standard library with a minimal orjson formatter. Every subject writes the same fields (timestamp,
level, logger, message, correlation ID, source, one `extra` object) to a file on disk; `written` is the time until all
of it is there. Each subject runs in its own process, in turn, round after round. A ratio is taken inside a round, so
that a slow moment of the machine affects both sides; the median of the ratios is shown.
"""

from __future__ import annotations

import argparse
import contextvars
import datetime as dt
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from common import Figure, at_most, ratio, report

Call = Callable[[int], None]
Setup = Callable[[Path], tuple[Call, Callable[[], None]]]
correlation: contextvars.ContextVar[str] = contextvars.ContextVar("correlation", default="0" * 32)
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class FloorFormatter(logging.Formatter):
    """The least that a formatter for these fields has to do."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "correlation_id": correlation.get(),
            "source": {"file": record.filename, "line": record.lineno, "function": record.funcName},
            "extra": {key: value for key, value in record.__dict__.items() if key not in STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def stdlib_call(logger: logging.Logger) -> Call:
    """The measured call, for everything behind the standard library's API."""

    def call(number: int) -> None:
        logger.info("Synced %d active jobs", number, extra={"job_id": "xyz789", "attempt": number})

    return call


def with_formatter(path: Path, formatter: logging.Formatter) -> tuple[Call, Callable[[], None]]:
    handler = logging.FileHandler(path)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel("INFO")
    return stdlib_call(logging.getLogger("bench.jobs")), handler.close


def baseline(path: Path) -> tuple[Call, Callable[[], None]]:
    return with_formatter(path, FloorFormatter())


def ours(path: Path) -> tuple[Call, Callable[[], None]]:
    from logconf import configure_structured_logging, flush, set_correlation_id

    configure_structured_logging(log_file=path, stream=None)
    set_correlation_id("0" * 32)
    return stdlib_call(logging.getLogger("bench.jobs")), lambda: flush(60.0)


def json_logger(path: Path) -> tuple[Call, Callable[[], None]]:
    from pythonjsonlogger.orjson import OrjsonFormatter

    class WithCorrelation(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.correlation_id = correlation.get()
            return True

    fields = "{asctime}{levelname}{name}{message}{correlation_id}{filename}{lineno}{funcName}"
    call, close = with_formatter(path, OrjsonFormatter(fields, style="{"))
    logging.getLogger().handlers[-1].addFilter(WithCorrelation())
    return call, close


def structlog_orjson(path: Path) -> tuple[Call, Callable[[], None]]:
    import structlog

    file = path.open("wb")
    parameter = structlog.processors.CallsiteParameter
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.CallsiteParameterAdder([parameter.FILENAME, parameter.LINENO, parameter.FUNC_NAME]),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(correlation_id="0" * 32)
    logger = structlog.get_logger().bind(logger="bench.jobs")

    def call(number: int) -> None:
        logger.info("Synced %d active jobs", number, job_id="xyz789", attempt=number)

    return call, file.close


def loguru_serialize(path: Path) -> tuple[Call, Callable[[], None]]:
    from loguru import logger

    logger.remove()
    logger.add(path, serialize=True, level="INFO")
    bound = logger.bind(correlation_id="0" * 32, job_id="xyz789")

    def call(number: int) -> None:
        bound.info("Synced {} active jobs", number, attempt=number)

    return call, logger.remove


SUBJECTS: dict[str, Setup] = {
    "baseline": baseline,
    "logconf": ours,
    "python-json-logger": json_logger,
    "structlog + orjson": structlog_orjson,
    "loguru": loguru_serialize,
}


def measure(setup: Setup, calls: int) -> dict[str, float]:
    """Seconds per call: in the caller only, and with everything written."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bench.log"
        call, finish = setup(path)
        for number in range(2_000):
            call(number)
        started = time.perf_counter()
        for number in range(calls):
            call(number)
        called = time.perf_counter()
        finish()
        ended = time.perf_counter()
        lines = path.read_bytes().count(b"\n")
        if lines != calls + 2_000:
            raise SystemExit(f"{lines} lines for {calls + 2_000} calls")
    return {"caller": (called - started) / calls, "written": (ended - started) / calls}


def measure_disabled(calls: int, *, configured: bool) -> float:
    """Seconds per call below the level."""
    if configured:
        from logconf import configure_structured_logging

        configure_structured_logging(stream=None)
    else:
        logging.getLogger().setLevel("INFO")
    logger = logging.getLogger("bench.jobs")
    best = float("inf")
    for _ in range(20):  # a call takes 50 ns: only the fastest of many is not dominated by other load
        started = time.perf_counter()
        for number in range(calls // 20):
            logger.debug("Synced %d active jobs", number)
        best = min(best, (time.perf_counter() - started) / (calls // 20))
    return best


def in_a_process(*arguments: str) -> dict[str, float]:
    output = subprocess.run(
        [sys.executable, __file__, *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
    ).stdout
    result: dict[str, float] = json.loads(output)
    return result


def compare(rounds: int, calls: int) -> list[Figure]:
    names = list(SUBJECTS)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    disabled: list[dict[str, float]] = []
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):  # the order must not matter
            results[name].append(in_a_process("--one", name, "--calls", str(calls)))
        pair = {
            name: in_a_process("--one", f"disabled-{name}", "--calls", str(calls * 10))
            for name in ("logconf", "stdlib")
        }
        disabled.append({name: one["caller"] for name, one in pair.items()})
    found = []
    for name in names:
        for kind, words in (("caller", "a call"), ("written", "until it is written")):
            ours, base = ([one[kind] for one in results[subject]] for subject in (name, "baseline"))
            line = Figure(f"{name}, {words}", statistics.median(ours) * 1e6, "us", "the baseline", ratio(ours, base))
            found.append(at_most(line, 0.5) if name == "logconf" else line)
    ours, base = ([one[name] for one in disabled] for name in ("logconf", "stdlib"))
    below_level = Figure(
        "below the level", statistics.median(ours) * 1e6, "us", "the standard library", ratio(ours, base)
    )
    return [*found, at_most(below_level, 1.1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is None:
        report(compare(arguments.rounds, arguments.calls), as_json=arguments.json)
    elif arguments.one.startswith("disabled-"):
        configured = arguments.one.endswith("logconf")
        print(json.dumps({"caller": measure_disabled(arguments.calls, configured=configured)}))
    else:
        print(json.dumps(measure(SUBJECTS[arguments.one], arguments.calls)))


if __name__ == "__main__":
    main()
