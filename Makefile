# On a machine with python3 (3.11 or newer), python3-venv, a C compiler and make:
#
#   make run     builds bgpipe into .venv and turns the sample archives into JSON
#   make test    linters and tests
#
# PYTHON=python3.12 takes another Python; BGPIPE_CORPUS=folder (default ../shared/data) is the real data of the tests.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
SOURCES := $(wildcard src/bgpipe/*.pyx src/bgpipe/*.pxd) setup.py

.PHONY: run test build lint unit clean FORCE
.DELETE_ON_ERROR:

run: build
	$(VENV)/bin/bgpipe read samples/session.mrt | head -n 5

test: lint unit

build: $(VENV)/built

# Changes when the environment does: another Python, or the first time.
$(VENV)/made-by: FORCE
	@tools/venv $(PYTHON) $(VENV)

$(VENV)/installed: $(VENV)/made-by pyproject.toml
	$(PY) -m pip install -q 'cython>=3.1' 'setuptools>=77'
	$(PY) -m pip install -q --no-build-isolation -e '.[dev]'
	@touch $@

$(VENV)/built: $(VENV)/installed $(SOURCES)
	$(PY) setup.py -q build_ext --inplace -j 4
	@touch $@

lint: build
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/mypy samples

unit: build
	$(PY) -m pytest -q

clean:
	rm -rf $(VENV) build dist src/*.egg-info bench/data tests/fuzz/build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f src/bgpipe/*.so src/bgpipe/_*.c
	find src tests samples bench -name __pycache__ -prune -exec rm -rf {} +
