"""Configuring: the environment, twice, files that cannot be opened, other people's handlers."""

from __future__ import annotations

import importlib.metadata
import io
import json
import logging
import logging.config
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import logconf
from logconf import configure_structured_logging, flush, get_logger, init_from_env
from logconf.handler import StructuredHandler, installed_handler

logger = get_logger("tests.setup")


def configured_lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    flush()
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_the_names_users_know_are_there() -> None:
    known = {
        "configure_structured_logging", "init_from_env", "get_logger", "LogContext", "CorrelationIDFilter",
        "get_correlation_id", "set_correlation_id", "clear_correlation_id",
    }  # fmt: skip
    assert known <= set(logconf.__all__)
    assert all(hasattr(logconf, name) for name in logconf.__all__)


def test_only_the_standard_library_and_orjson_are_needed() -> None:
    assert importlib.metadata.version("orjson")
    source = "\n".join(path.read_text() for path in Path(logconf.__file__).parent.rglob("*.py"))
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"logconf", "orjson"}


def test_importing_configures_nothing(run_script: Any) -> None:
    source = """
    import logging, signal
    before = (logging.Logger.makeRecord, signal.getsignal(signal.SIGTERM), logging.raiseExceptions)
    import logconf
    after = (logging.Logger.makeRecord, signal.getsignal(signal.SIGTERM), logging.raiseExceptions)
    print(before == after, logging.getLogger().handlers, logging.getLogger().level)
    """
    assert run_script(source).stdout == "True [] 30\n"


def test_configuring_twice_doubles_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        configure_structured_logging()
        init_from_env({})
    logger.info("once")
    assert [line["message"] for line in configured_lines(capfd)] == ["once"]


def test_there_is_no_moment_with_two_handlers_or_none() -> None:
    """Another thread may log at any line of a second configuration."""
    configure_structured_logging()
    root, seen = logging.getLogger(), set()

    def look(frame: FrameType, _event: str, _argument: object) -> Any:
        seen.add(sum(isinstance(one, StructuredHandler) for one in root.handlers))
        return look if "logging" in frame.f_code.co_filename or "logconf" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(look)
    try:
        configure_structured_logging()
    finally:
        sys.settrace(before)
    assert seen == {1}


def test_lines_before_a_second_configuration_are_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    configure_structured_logging()
    logger.info("first")
    configure_structured_logging()
    logger.info("second")
    assert [line["message"] for line in configured_lines(capfd)] == ["first", "second"]


def test_a_plain_handler_of_basic_config_does_not_double_lines(capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    logging.getLogger().addHandler(logging.StreamHandler(sys.stderr))
    mine = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(mine)
    configure_structured_logging()
    logger.warning("once")
    assert [line["message"] for line in configured_lines(capfd)] == ["once"]
    assert mine.stream.getvalue() == "once\n"
    logging.getLogger().removeHandler(mine)


def test_request_loggers_are_quiet() -> None:
    configure_structured_logging("DEBUG")
    for name in ("httpx", "httpcore", "httpcore.http11", "hypercorn.access"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(("level", "number"), [("debug", 10), (" WARN ", 30), ("CRITICAL", 50), (15, 15)])
def test_levels_are_names_in_any_case_or_numbers(level: str | int, number: int) -> None:
    configure_structured_logging(level, stream=None)
    assert logging.getLogger().level == number


def test_an_unknown_level_in_code_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="unknown log level 'loud': one of DEBUG"):
        configure_structured_logging("loud")


def test_environment_defaults_to_info_and_json(capfd: pytest.CaptureFixture[str]) -> None:
    init_from_env({})
    logger.debug("no")
    logger.info("yes")
    assert [line["message"] for line in configured_lines(capfd)] == ["yes"]


def test_environment_is_the_processs_by_default(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIMPLETUNER_LOG_LEVEL", "debug")
    monkeypatch.setenv("SIMPLETUNER_LOG_FORMAT", "TEXT")
    init_from_env()
    logger.debug("hello")
    flush()
    assert capfd.readouterr().out.endswith("): hello\n")


@pytest.mark.parametrize(
    ("variable", "value", "default"),
    [("SIMPLETUNER_LOG_LEVEL", "LOUD", "INFO"), ("SIMPLETUNER_LOG_FORMAT", "xml", "json")],
)
def test_an_unknown_value_is_a_warning_and_the_default_holds(
    variable: str, value: str, default: str, capfd: pytest.CaptureFixture[str]
) -> None:
    init_from_env({variable: value})
    logger.debug("no")
    logger.info("yes")
    warning, info = configured_lines(capfd)
    assert warning["level"] == "WARNING"
    assert variable in warning["message"]
    assert value in warning["message"]
    assert default in warning["message"]
    assert warning["extra"] == {"variable": variable, "given": value}
    assert info["message"] == "yes"


def test_the_file_is_in_addition_to_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "missing" / "cloud.log"
    init_from_env({"SIMPLETUNER_LOG_FILE": str(path)})
    logger.info("both")
    flush()
    assert path.read_text() == capfd.readouterr().out
    assert json.loads(path.read_text())["message"] == "both"


def test_a_file_that_cannot_be_opened_is_a_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "below", "\0"):
        init_from_env({"SIMPLETUNER_LOG_FILE": str(path)})
        logger.info("goes on")
        warning, info = configured_lines(capfd)
        assert (warning["level"], info["message"]) == ("WARNING", "goes on")
        assert warning["extra"]["error"]


def test_a_relative_file_without_a_working_directory_is_a_warning(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    configure_structured_logging(log_file=Path("logs/app.jsonl"))
    flush()
    assert "logs/app.jsonl" in capfd.readouterr().out


def test_a_file_alone_that_cannot_be_opened_falls_back_to_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_structured_logging(log_file=tmp_path, stream=None)
    logger.info("goes on")
    assert [line["message"] for line in configured_lines(capfd)][-1] == "goes on"


def test_stdout_can_be_left_to_a_display(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    init_from_env({"SIMPLETUNER_LOG_FILE": str(tmp_path / "log")}, stream=None)
    logger.info("file only")
    assert configured_lines(capfd) == []
    assert json.loads((tmp_path / "log").read_text())["message"] == "file only"


def test_a_file_can_stand_for_stdout_beside_the_log_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    init_from_env({"SIMPLETUNER_LOG_FILE": str(tmp_path / "own")}, stream=tmp_path / "log" / "greenroom.jsonl")
    logger.info("in both")
    assert configured_lines(capfd) == []
    assert (tmp_path / "own").read_text() == (tmp_path / "log" / "greenroom.jsonl").read_text() != ""


def test_one_file_named_twice_gets_each_line_once(tmp_path: Path) -> None:
    configure_structured_logging(log_file=tmp_path / "log", stream=str(tmp_path / "." / "log"))
    logger.info("once")
    flush()
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_no_stdout_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    configure_structured_logging()
    logger.info("nowhere")
    assert logconf.statistics() == []


def test_a_stdout_that_is_replaced_by_a_test_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_structured_logging()
    logger.info("captured")
    flush()
    assert json.loads(capsys.readouterr().out)["message"] == "captured"


def test_logging_prints_no_error_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    """Not for wrong arguments, and not from other people's handlers either."""
    other = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(other)
    configure_structured_logging()
    logger.info("%d", "x")  # type: ignore[arg-type, unused-ignore]
    logging.getLogger().removeHandler(other)
    flush()
    assert capfd.readouterr().err == ""


def test_filters_of_the_handler_hold() -> None:
    configure_structured_logging(stream=None)
    handler = installed_handler()
    assert handler is not None
    handler.addFilter(lambda record: record.msg != "no")
    assert not handler.handle(logging.makeLogRecord({"msg": "no", "levelno": 20}))
    assert handler.handle(logging.makeLogRecord({"msg": "yes", "levelno": 20}))


def test_configuring_other_loggers_afterwards_lets_no_caller_wait_for_the_sink() -> None:
    """`logging.config` closes every handler that it finds, also ours, which stays."""

    class Noting(io.StringIO):
        def write(self, text: str) -> int:
            threads.append(threading.get_ident())
            return super().write(text)

    threads: list[int] = []
    configure_structured_logging(stream=Noting())
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "loggers": {"uvicorn": {}}})
    logger.info("still")
    flush()
    assert threads
    assert threading.get_ident() not in threads


def test_a_format_of_the_host_may_name_thread_and_process() -> None:
    out = io.StringIO()
    host = logging.StreamHandler(out)
    host.setFormatter(logging.Formatter("%(process)d %(threadName)s %(processName)s %(message)s"))
    configure_structured_logging(stream=None)
    logging.getLogger().addHandler(host)
    logger.warning("hello")
    logging.getLogger().removeHandler(host)
    assert out.getvalue() == f"{os.getpid()} {threading.current_thread().name} MainProcess hello\n"


def test_closing_by_logging_config_does_not_lose_later_lines(capfd: pytest.CaptureFixture[str]) -> None:
    configure_structured_logging()
    handler = installed_handler()
    assert handler is not None
    handler.close()
    logger.info("still")
    assert [line["message"] for line in configured_lines(capfd)] == ["still"]
