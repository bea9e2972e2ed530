"""Mutants: one change each, the same ones for the same content; who tries them; how code is exchanged."""

import ast
import gc
import importlib.util
import json
import sys
import weakref
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "mutation"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = loaded("generator")
places = loaded("places")
equivalent = loaded("equivalent")
patch = loaded("patch")
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


def test_a_change_of_one_line_leaves_the_draw_of_the_others(module, monkeypatch):
    monkeypatch.setattr(run, "ROOT", module.parent)
    before = [one.text for one in run.drawn(["module.py"], 1, 99)]
    module.write_text(SOURCE.replace("LIMIT = 3\n", ""))
    assert [one.text for one in run.drawn(["module.py"], 1, 99)] == [text for text in before if text != "3 -> 4"]


def test_every_module_of_the_places_has_tests_that_are_there():
    for place in places.PLACES:
        for path in run._files(places.ROOT / place):
            for test in places.unit_tests(path.relative_to(places.ROOT).as_posix()):
                assert (places.ROOT / test).exists(), (path, test)


def test_figures_have_their_confidence_interval():
    assert run.interval(95, 100) == "95 of 100 noticed: 95% (95 %: 89% to 98%)"
    assert run.interval(0, 0) == "none tried"


def test_results_are_kept_and_those_that_nobody_noticed_can_be_tried_again(tmp_path, module):
    path, (mutant, another, *_) = tmp_path / "kept.json", generator.mutants_of(module, tmp_path)
    run.Kept(path).put(mutant, "tests", "FAILED x")
    kept = run.Kept(path)
    kept.put(another, "tests", None)
    assert run.Kept(path).get(mutant, "tests")["how"] == "FAILED x"
    assert run.Kept(path).get(another, "tests")["how"] is None
    assert run.Kept(path, forget=True).get(another, "tests") is None
    assert run.Kept(path).get(mutant, "worlds 30") is None


@pytest.fixture
def record(module, monkeypatch):
    """Two tests execute line 6 (``choose``), one of them line 8; nobody line 10."""
    monkeypatch.setattr(places, "ROOT", module.parent)
    monkeypatch.setattr(places, "unit_tests", lambda file: ["tests/test_module.py"])
    parts = [("tests/test_other.py::a", 1.0), ("tests/test_module.py::b", 2.0), ("tests/test_other.py::c", 0.5)]
    lines = {"2": [2], "7": [0], "9": [1]}
    return places.Record(parts, [[0, 1], [1], []], {("module.py", places.digest("module.py")): lines})


def mutant(module, text):
    return next(one for one in generator.mutants_of(module, module.parent) if one.text == text)


def test_a_mutant_is_tried_by_the_tests_that_execute_its_line_its_own_first(module, record):
    guard = mutant(module, "left out: if not jobs")
    own = "tests/test_module.py"  # at last: tests may have come since
    assert places.tests_of(guard, record, 10.0) == [f"{own}::b", "tests/test_other.py::a", own]
    assert places.tests_of(mutant(module, "len(jobs) < most -> len(jobs) <= most"), record, 10.0) == [f"{own}::b", own]
    assert places.tests_of(mutant(module, "None for jobs[:most]"), record, 10.0) == [own]


def test_new_tests_of_its_own_come_before_what_is_recorded(module, record, monkeypatch):
    monkeypatch.setattr(places, "unit_tests", lambda file: ["tests/test_module.py", "tests/test_module_more.py"])
    found = places.tests_of(mutant(module, "len(jobs) < most -> len(jobs) <= most"), record, 10.0)
    assert found[:2] == ["tests/test_module_more.py", "tests/test_module.py::b"]


def test_what_is_executed_at_the_import_is_tried_by_all_tests_of_its_module(module, record):
    for text in ("3 -> 4", "5 -> 6", "True -> False"):
        assert len(places.tests_of(mutant(module, text), record, 10.0)) == 3


def test_without_a_record_the_tests_are_those_of_its_name_with_another_content_all_that_execute_its_file(
    module, record
):
    guard = mutant(module, "left out: if not jobs")
    assert places.tests_of(guard, None, 10.0) == ["tests/test_module.py"]
    module.write_text(SOURCE.replace("LIMIT = 3", "LIMIT = 7"))
    assert len(places.tests_of(mutant(module, "None for jobs[:most]"), record, 10.0)) == 3


def test_what_several_runs_recorded_is_used_together(module, record, tmp_path):
    found = {"digest": places.digest("module.py"), "lines": {"7": 0}}
    for number, name in enumerate(["one", "two"]):
        written = {"parts": [[f"tests/test_{name}.py::a", number]], "sets": [[0]], "files": {"module.py": found}}
        (tmp_path / f"{name}.json").write_text(json.dumps(written))
    both = places.Record.read(tmp_path / "one.json", tmp_path / "two.json")
    guard = mutant(module, "left out: if not jobs")
    assert both.executing(guard) == [("tests/test_one.py::a", 0), ("tests/test_two.py::a", 1)]
    assert places.Record.read() is None


def test_only_worlds_that_reach_a_change_are_tried_and_those_that_were_not_recorded(module, record):
    worlds = places.Record(parts=[("1", 1.0), ("2", 1.0), ("3", 1.0)], sets=record.sets, files=record.files)
    guard = mutant(module, "left out: if not jobs")
    assert places.worlds_of(guard, 4, worlds) == [1, 2, 4]
    assert places.worlds_of(guard, 4, None) == [1, 2, 3, 4]


@pytest.fixture
def functions(module, monkeypatch):
    """The module is imported, and ``choose`` with it."""
    monkeypatch.setattr(patch, "ROOT", module.parent)
    spec = importlib.util.spec_from_file_location("module", module)
    imported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(imported)
    return imported, lambda executed: patch.Functions(gc.get_objects(), str(module.parent), executed)


def test_the_code_of_a_function_is_exchanged_where_it_runs(module, functions):
    imported, found = functions
    assert imported.choose([2, 1]) == [1, 2]
    found(set()).change("module.py", mutant(module, "left out: jobs.sort()").number)
    assert imported.choose([2, 1]) == [2, 1]


def test_what_is_left_of_others_does_not_matter(module):
    class Gone:
        pass

    gone = weakref.proxy(Gone())
    patch.Functions([gone], str(module.parent), set())


@pytest.mark.parametrize("text", ["3 -> 4", "5 -> 6"])
def test_what_the_import_made_needs_another_import(module, functions, text):
    with pytest.raises(patch.CannotPatch):
        functions[1](set()).change("module.py", mutant(module, text).number)


def test_a_function_that_ran_at_the_import_needs_another_import(module, functions):
    imported, found = functions
    with pytest.raises(patch.CannotPatch):
        found({patch._key(imported.choose.__code__)}).change(
            "module.py", mutant(module, "left out: jobs.sort()").number
        )


def test_each_equal_mutant_is_one_of_today_and_has_a_reason():
    made = {file: generator.mutants_of(places.ROOT / file, places.ROOT) for file, *_ in equivalent.entries()}
    known = {(one.file, equivalent.line_of(one), one.text) for mutants in made.values() for one in mutants}
    assert all(equivalent.entries().values())
    assert equivalent.entries().keys() <= known
