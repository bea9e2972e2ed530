"""The generator of mutants: one change each, the same ones for the same content."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "mutation"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = loaded("generator")
run = loaded("run")

SOURCE = '''
LIMIT = 3


def choose(jobs, most: int = 5, *, first=True):
    """A docstring."""
    if not jobs:
        return None
    if len(jobs) < most and first:
        jobs.sort()
    return jobs[:most]
'''

CHANGES = {
    "3 -> 4",
    "5 -> 6",
    "True -> False",
    "left out: if not jobs",
    "not jobs -> jobs",
    "len(jobs) < most and first -> len(jobs) < most or first",
    "len(jobs) < most -> len(jobs) <= most",
    "left out: jobs.sort()",
    "None for jobs[:most]",
}


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(SOURCE)
    return path


def test_each_comparison_guard_return_default_and_call_is_changed_once(module, tmp_path):
    found = generator.mutants_of(module, tmp_path)
    assert {one.text for one in found} == CHANGES
    assert len(found) == len(CHANGES)


def test_each_mutant_differs_from_its_source_and_from_the_others(module, tmp_path):
    texts = {ast.unparse(generator.mutated(SOURCE, one.number)) for one in generator.mutants_of(module, tmp_path)}
    assert len(texts) == len(CHANGES)
    assert ast.unparse(ast.parse(SOURCE)) not in texts
    for text in texts:
        compile(text, "module.py", "exec")


def test_what_is_kept_holds_for_the_same_content_alone(module, tmp_path):
    before = {one.key for one in generator.mutants_of(module, tmp_path)}
    assert {one.key for one in generator.mutants_of(module, tmp_path)} == before
    module.write_text(SOURCE.replace("LIMIT = 3", "LIMIT = 7"))
    assert not before & {one.key for one in generator.mutants_of(module, tmp_path)}


def test_a_seed_draws_the_same_mutants_again():
    places = ("actors/expiry.py",)
    assert run.drawn(places, 1, 5) == run.drawn(places, 1, 5) != run.drawn(places, 2, 5)


def test_every_module_of_the_places_has_tests_that_are_there():
    for place in run.PLACES:
        for path in run._files(run.ROOT / place):
            for test in run.unit_tests(path.relative_to(run.ROOT).as_posix()):
                assert (run.ROOT / test).exists(), (path, test)


def test_figures_have_their_confidence_interval():
    assert run.interval(95, 100) == "95 of 100 noticed: 95% (95 %: 89% to 98%)"
    assert run.interval(0, 0) == "none tried"


def test_results_are_kept(tmp_path, module):
    path, (mutant, *_) = tmp_path / "kept.json", generator.mutants_of(module, tmp_path)
    run.Kept(path).put("key", mutant, run.Result("tests", "FAILED x"))
    assert run.Kept(path).get("key") == run.Result("tests", "FAILED x")
    assert run.Kept(path).get("another") is None
