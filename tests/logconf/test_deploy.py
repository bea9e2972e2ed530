"""The files under examples/deploy that concern logs, tried on real lines as far as can be done without the programs."""

from __future__ import annotations

import configparser
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from logconf import LogContext, bind_correlation_id, configure_structured_logging, flush, get_logger
from logconf.render import MAX_LINE

DEPLOY = Path(__file__).resolve().parents[2] / "examples" / "deploy"
logger = get_logger("tests.deploy")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A real log file with all kinds of lines."""
    path = tmp_path / "cloud.log"
    configure_structured_logging("DEBUG", log_file=path, stream=None, include_stack_info=True)
    with bind_correlation_id("abc123"), LogContext(job_id="xyz789", provider="replicate"):
        logger.info("Job submitted successfully", extra={"cost_estimate": 2.5, "nested": {"job_id": 1, "a": [{}]}})
        try:
            raise ValueError("no")
        except ValueError:
            logger.exception("Error in job polling")
    logger.debug("Synced 0 active jobs")
    logger.warning("x" * 100_000, extra={"odd": float("nan"), "big": 2**70, "level": "mine", "message": 5})  # noqa: G101 - on purpose
    flush()
    return path


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def load(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def parse(timestamp: str, given: str) -> None:
    """Raises ValueError where the timestamp has not the given form (a program's own letters for fractions replaced)."""
    assert given.endswith("Z")
    assert dt.datetime.strptime(timestamp, given.replace("Z", "%z")).tzinfo == dt.UTC  # noqa: DTZ007 - %z is put in


def dotted(line: dict[str, Any], expression: str) -> Any:
    """A JMESPath expression of names and dots, which is all that the Promtail file may use."""
    assert re.fullmatch(r"\w+(\.\w+)*", expression)
    value: Any = line
    for name in expression.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def test_promtails_expressions_find_what_they_name(log: Path) -> None:
    (scrape,) = load("promtail.yaml")["scrape_configs"]
    stages = {name: stage for each in scrape["pipeline_stages"] for name, stage in each.items()}
    expressions = stages["json"]["expressions"]
    first = {name: dotted(lines(log)[0], expression) for name, expression in expressions.items()}
    assert (first["level"], first["correlation_id"], first["job_id"]) == ("INFO", "abc123", "xyz789")
    assert set(stages["labels"]) <= set(expressions)
    assert stages["timestamp"]["format"] == "RFC3339Nano"
    assert dt.datetime.fromisoformat(first[stages["timestamp"]["source"]]).utcoffset() == dt.timedelta(0)
    for line in lines(log):
        assert all(dotted(line, expressions[label]) for label in stages["labels"])


def test_promtails_file_is_the_manuals_and_warns_of_its_label() -> None:
    (scrape,) = load("promtail.yaml")["scrape_configs"]
    assert scrape["job_name"] == "simpletuner"
    assert scrape["static_configs"][0]["labels"]["__path__"] == "/var/log/simpletuner/cloud.log"
    assert {"level", "correlation_id"} <= set(scrape["pipeline_stages"][-1]["labels"])
    assert "correlation_id" in (DEPLOY / "promtail.yaml").read_text().split("server:")[0]


def test_lokis_flattening_does_not_clash(log: Path) -> None:
    def flat(value: Any, prefix: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from flat(inner, f"{prefix}_{key}" if prefix else key)
        else:
            yield re.sub(r"\W", "_", prefix)

    for line in lines(log):
        names = list(flat(line))
        assert len(names) == len(set(names))
        assert {"timestamp", "level", "message", "correlation_id", "source_file", "source_line"} <= set(names)


def test_field_types_are_stable(log: Path) -> None:
    """Elasticsearch maps a field by its first value and refuses documents that bring another type."""
    types: dict[str, set[str]] = {}
    for line in lines(log):
        for key, value in line.items():
            types.setdefault(key, set()).add(type(value).__name__)
    assert all(len(kinds) == 1 for kinds in types.values()), types
    assert types["extra"] == types["source"] == {"dict"}


def test_datadog_finds_its_reserved_attributes_at_the_top(log: Path) -> None:
    (source,) = load("datadog.yaml")["logs"]
    assert source["type"] == "file"
    assert all({"timestamp", "level", "message"} <= set(line) for line in lines(log))


def test_vector_reads_long_lines_and_the_lines_time(log: Path) -> None:
    config = load("vector.yaml")
    (source,) = config["sources"].values()
    assert source["max_line_bytes"] >= MAX_LINE
    (remap,) = config["transforms"].values()
    (given,) = re.findall(r'format: "([^"]+)"', remap["source"])
    assert given.endswith("%S%.3fZ")
    for line in lines(log):
        parse(line["timestamp"], given.replace("%.3f", ".%f"))
    inputs = {name for sink in config["sinks"].values() for name in sink["inputs"]}
    assert {name.split(".")[0] for name in inputs} == set(config["transforms"])


def test_fluent_bit_reads_long_lines_and_the_lines_time(log: Path) -> None:
    config = load("fluent-bit.yaml")
    (parser,) = config["parsers"]
    (tail,) = config["pipeline"]["inputs"]
    assert tail["parser"] == parser["name"]
    assert int(tail["buffer_max_size"].removesuffix("k")) * 1024 >= MAX_LINE
    for line in lines(log):
        parse(line[parser["time_key"]], parser["time_format"].replace("%L", "%f"))


def test_splunk_breaks_and_dates_each_line(log: Path) -> None:
    props, inputs = (configparser.ConfigParser(interpolation=None, delimiters=["="]) for _ in range(2))
    props.read(DEPLOY / "splunk-props.conf")
    inputs.read(DEPLOY / "splunk-inputs.conf")
    (monitor,) = inputs.sections()
    settings = props[inputs[monitor]["sourcetype"]]
    text = log.read_bytes().decode()
    events = [event for event in re.split(settings["LINE_BREAKER"], text) if event.strip()]
    assert [json.loads(event) for event in events] == lines(log)
    for event in events:
        assert len(event.encode()) <= int(settings["TRUNCATE"])
        match = re.search(settings["TIME_PREFIX"], event)
        assert match is not None
        stamp = event[match.end() :][: int(settings["MAX_TIMESTAMP_LOOKAHEAD"])]
        parse(stamp, settings["TIME_FORMAT"].replace("%3N", "%f"))


def test_logrotates_way_of_rotating_loses_no_line(log: Path) -> None:
    """What `nocreate` and `delaycompress` without a postrotate script do: rename, and nothing else."""
    text = (DEPLOY / "greenroom.logrotate").read_text()
    directives = re.findall(r"^    (\w+)", text, re.MULTILINE)
    assert {"nocreate", "delaycompress", "compress"} <= set(directives)
    assert not {"copytruncate", "create", "postrotate"} & set(directives)
    before = len(lines(log))
    log.rename(log.with_suffix(".log.1"))
    logger.info("after")
    flush()
    assert len(lines(log.with_suffix(".log.1"))) == before
    assert [line["message"] for line in lines(log)] == ["after"]


@pytest.mark.parametrize("name", ["promtail.yaml", "vector.yaml", "fluent-bit.yaml", "datadog.yaml"])
def test_every_file_reads_the_same_log(name: str) -> None:
    assert "/var/log/simpletuner/cloud.log" in (DEPLOY / name).read_text()
