# Contributor's interface; continuous integration calls these targets and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/test/bin
# modules are compiled when first imported, once: most of an installation never is
export PYTHONDONTWRITEBYTECODE :=
INSTALL := pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
# workers share the cores; threads of one wait for those of the other: property tests 207 -> 109 s
ALONE := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

.PHONY: demo test check lint forge-test forge-build coreml models-report models-check clean

## install hocket into an environment of its own and diarize the bundled conversation
demo: $(VENV)/demo/installed
	$(VENV)/demo/bin/hocket diarize examples/conversation.flac --output demo/conversation.rttm --table

## all tests that need no torch
test: $(VENV)/test/installed
	$(ALONE) $(BIN)/python -m pytest --numprocesses 2 -m "not timed"
	$(BIN)/python -m pytest -m timed

## every gate: format, lint, types, layers, tests
check: lint test

lint: $(VENV)/test/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## the forge: its tests, and the shipped graphs against their references (installs torch)
forge-test: $(VENV)/forge/installed
	$(VENV)/forge/bin/python -m hocket_forge check
	$(ALONE) $(VENV)/forge/bin/python -m pytest --numprocesses 2 --dist loadfile forge/tests
	$(VENV)/forge/bin/mypy --package hocket_forge

## every graph as a Core ML package in build/coreml, each held to its reference on any system
coreml: $(VENV)/forge/installed
	$(VENV)/forge/bin/python -W ignore -m hocket_forge coreml

## docs/models.md, from the files and from bench/results/models.json
models-report: coreml
	$(VENV)/forge/bin/python -W ignore -m hocket_forge report

## fails if docs/models.md is not current; reads the packages that 'coreml' built
models-check: $(VENV)/forge/installed
	$(VENV)/forge/bin/python -W ignore -m hocket_forge report-check

## make the shipped graphs again from the published checkpoints
forge-build: $(VENV)/forge/installed
	$(VENV)/forge/bin/python -m hocket_forge build

$(VENV)/demo/installed: pyproject.toml constraints.txt $(shell find src -type f -not -name '*.pyc')
	$(PYTHON) -m venv $(VENV)/demo
	$(VENV)/demo/bin/$(INSTALL) .
	touch $@

$(VENV)/test/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)/test
	$(BIN)/$(INSTALL) --editable '.[test]'
	touch $@

$(VENV)/forge/installed: pyproject.toml constraints.txt forge/pyproject.toml
	$(PYTHON) -m venv $(VENV)/forge
	$(VENV)/forge/bin/$(INSTALL) --editable '.[test]' --editable forge
	$(VENV)/forge/bin/python -W ignore -c 'import coremltools'  # its sources warn when compiled
	touch $@

clean:
	rm -rf $(VENV) demo build dist
