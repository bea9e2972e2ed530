# Two commands do everything: `make run` and `make test`. Both set up what they need first, once.
# Without make:  python3 -m venv .venv && .venv/bin/pip install -c .ci/constraints.txt -e '.[test]'
#                then the last line of the target.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c .ci/constraints.txt
HOME_DIR := $(if $(GREENROOM_HOME),$(GREENROOM_HOME),.greenroom)

.DEFAULT_GOAL := help
.PHONY: help run test lint check check-long mutants bench clean

help:
	@echo "make run         queue, choose, run and watch the sweep of examples/sweep.yaml on this machine"
	@echo "make test        run the tests"
	@echo "make check       what CI checks: format, lint, types, layers, tests"
	@echo "make check-long  what is too slow for CI, some hours: an interrupt at every line of supervision,"
	@echo "                 100,000 restarts, a kill at every system call, a hundred jobs on a real Slurm, a hundred simulated worlds of a day each that nobody has seen"
	@echo "make mutants     changes of the code that tests and simulation are to notice, drawn by the day; ARGS='--number 300 --workers 2'"
	@echo "make bench       all benchmarks, some 15 minutes; writes benchmarks/figures.md"
	@echo "make clean       remove the virtual environment and what make run left (.greenroom)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Greenroom needs Python 3.11 or newer; say which: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 2; }

$(VENV)/.run: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) (once) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) for the tests (once) ..."
	@$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) for development (once) ..."
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.test $(VENV)/.run

run: $(VENV)/.run
	@GREENROOM_HOME=$(HOME_DIR) PATH="$(abspath $(BIN)):$$PATH" $(BIN)/greenroom run --file examples/sweep.yaml --until-idle --approve-as "$$(id -un)"

test: $(VENV)/.test
	$(BIN)/pytest -n auto $(ARGS)

# Other files have nothing for flake8-async, which takes a third of a second for each.
# ASYNC9 asks for a checkpoint in every async function, ASYNC114 for a list of every startable one,
# ASYNC124 for no hook that does not await, ASYNC127 for another HTTP library than the project's.
lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	grep -rlE --include='*.py' '\<(async|await|trio|asyncio|anyio|BaseException)\>|except:' actors supervision logconf | xargs -n 32 -P 4 \
	  $(BIN)/flake8-async --enable ASYNC --disable ASYNC9,ASYNC114,ASYNC124,ASYNC127
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

# Fresh seeds every day; a failure prints the seed and the command that shows it again.
FIRST ?= $(shell expr $$(date +%j) \* 100 + 1000000)
LAST = $(shell expr $(FIRST) + 99)

check-long: $(VENV)/.dev
	SUPERVISION_INTERRUPTS=all $(BIN)/pytest -n0 tests/supervision/test_interrupts.py $(ARGS)
	SOAK_RESTARTS=100000 $(BIN)/pytest -n0 -m parts tests/supervision/test_scale.py $(ARGS)
	GREENROOM_SWEEP=all $(BIN)/pytest -n0 -m parts tests/kills/test_every_system_call.py tests/kills/test_disk_faults.py $(ARGS)
	GREENROOM_SWEEP=all $(BIN)/pytest -n0 -m parts tests/providers/slurm/test_sweep.py $(ARGS)
	$(BIN)/python -m actors.simulation --seeds $(FIRST)-$(LAST) --hours 24 --workers $$(nproc)

mutants: $(VENV)/.test
	$(BIN)/python benchmarks/mutation/run.py $(ARGS)

$(VENV)/.bench: pyproject.toml .ci/constraints.txt | $(BIN)/python
	@echo "Setting up $(VENV) for the benchmarks (once) ..."
	@$(PIP) -e '.[dev,bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.test $(VENV)/.run

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run_all.py $(ARGS)

clean:
	rm -rf $(VENV) .greenroom
