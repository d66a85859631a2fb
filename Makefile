# On a machine with python3 (3.11 or newer), python3-venv, a C compiler and make:
#
#   make run     builds bgpipe into .venv and turns the sample archives into JSON
#   make test    linters, fuzzers for some seconds each (where there is clang), tests
#   make filters filters, at length: an hour or so
#   make interop sessions with the BGP daemons of Debian
#   make faults  programs and far ends that are killed, links that are down, disks that are full, 100 times each
#   make soak    20 minutes of sessions that are cut off again and again
#
# PYTHON=python3.12 takes another Python; BGPIPE_CORPUS=folder (default ../shared/data) is the real data of the tests.

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
SOURCES := $(wildcard src/bgpipe/*.pyx src/bgpipe/*.pxd) setup.py

.PHONY: run test build lint unit filters interop soak faults fuzz fuzz-ready fuzz-short bench bench-live bench-websocket instructions clean FORCE
.DELETE_ON_ERROR:

run: build
	$(VENV)/bin/bgpipe read samples/session.mrt | $(PY) samples/summary.py
	$(VENV)/bin/bgpipe read samples/rib.mrt | $(PY) samples/summary.py

# The fuzzers and the tests side by side: each keeps one core busy.
test: lint
	$(MAKE) --no-print-directory -j 2 --output-sync=line fuzz-short unit

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
	MYPYPATH=tests $(VENV)/bin/mypy samples $(wildcard bench/*.py tests/fuzz/*.py)

unit: build
	$(PY) -m pytest -q

# Filters against their oracle and against a script over the JSON: more of both than `make test`, all archives whole.
filters: build
	BGPIPE_FILTERS=40000 BGPIPE_MESSAGES=300 BGPIPE_LIMIT=1000000000 $(PY) -m pytest -q tests/property/test_filters.py tests/golden/test_filters.py

# Sessions with real daemons, in network namespaces: takes root. Installs what is missing, or says what that is.
interop: build
	@tests/interop/install
	BGPIPE_INTEROP=all $(PY) -m pytest -q tests/interop

# Sessions through proxies, cut off again and again, for SOAK_SECONDS (20 minutes); tests/soak/soak.py says what must hold.
soak: build
	$(PY) tests/soak/soak.py

# Programs and far ends that are killed, links that are down, and disks that are full, a hundred times each, and 5,000
# clients: `make test` has a tenth of it, or less.
faults: build
	BGPIPE_FAULTS=100 BGPIPE_CLIENTS=5000 $(PY) -m pytest -q tests/unit/stages/test_exec.py tests/unit/stages/test_pipe.py tests/unit/stages/test_write.py \
		tests/unit/stages/test_websocket.py tests/interop/test_websocket.py

# Coverage-guided fuzzing of the compiled core under AddressSanitizer and UBSan: clang's libFuzzer, see tests/fuzz/.
FUZZ := tests/fuzz/build
FUZZ_TARGETS ?= framing update nlri attributes edit open other json exa mrt bmp obmp view bunzip2 filters limit session
FUZZ_SECONDS ?= 600
CLANG ?= $(firstword $(shell command -v clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14))
fuzz_options = -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=4096 -max_len=$(or $(fuzz_len_$*),16384) -use_value_profile=1 \
	-print_final_stats=1 -artifact_prefix=$(FUZZ)/finding-$*- $(if $(FUZZ_SEED),-seed=$(FUZZ_SEED))
fuzz_len_mrt = 4096
fuzz_len_bmp = 4096
fuzz_len_obmp = 4096
fuzz_len_filters = 2048
fuzz_len_exa = 4096
fuzz_env = ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(FUZZ)/lib:tests/fuzz FUZZ_PYTHON=$(abspath $(PY)) FUZZ_TARGET=$*

# Flags for a program that embeds Python.
embed = $$($(PY) -c 'if True: \
	import sysconfig as s; lib = s.get_config_var("LIBDIR"); \
	print("-I" + s.get_path("include"), "-I$(VENV)/include", "-L" + lib, "-Wl,-rpath," + lib, "-lpython" + s.get_config_var("LDVERSION"))')

$(FUZZ)/fuzz: tests/fuzz/fuzz.c $(VENV)/installed $(SOURCES) $(wildcard src/bgpipe/*.py)
	CC=$(CLANG) BGPIPE_SANITIZE=fuzzer-no-link,address,undefined \
		$(PY) setup.py -q build --build-base $(FUZZ) --build-lib $(FUZZ)/lib
	$(CLANG) -g -O1 -fsanitize=fuzzer,address,undefined -rdynamic $< -o $@ $(embed)

# Whether there is all that fuzzing takes; says so if not.
fuzz-ready: $(VENV)/installed
	@mkdir -p $(FUZZ)
	@echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return 0; }' > $(FUZZ)/probe.c
	@$(or $(CLANG),clang) -fsanitize=fuzzer,address,undefined $(FUZZ)/probe.c -o $(FUZZ)/probe $(embed) 2>/dev/null || \
		{ echo "fuzzing needs clang with libFuzzer, and libpython: apt install clang libclang-rt-14-dev python3-dev"; exit 1; }

fuzz-%: $(FUZZ)/fuzz
	@mkdir -p $(FUZZ)/corpus/$*
	@PYTHONPATH=src $(PY) tests/fuzz/seeds.py $* $(FUZZ)/seeds/$*
	@echo "fuzzing $*"; $(fuzz_env) nice $(FUZZ)/fuzz $(fuzz_options) $(FUZZ)/corpus/$* $(FUZZ)/seeds/$* 2>$(FUZZ)/$*.log || \
		{ tail -n 60 $(FUZZ)/$*.log; exit 1; }
	@grep -E '^stat::number_of_executed_units|^Done' $(FUZZ)/$*.log

fuzz: $(addprefix fuzz-,$(FUZZ_TARGETS))

# Some seconds for each target, always the same, to see that all of it works: to find something new is for the long runs, and what
# these found is replayed by tests/fuzz/test_replay.py.
fuzz-short:
	@if $(MAKE) -s fuzz-ready; then $(MAKE) --no-print-directory fuzz FUZZ_SECONDS=8 FUZZ_SEED=1; else [ "$$CI" != true ]; fi

# Against other programs on millions of real messages, with a bgpipe installed as users have it; bench/README.md.
BENCH := bench/data

$(BENCH)/venv/installed: pyproject.toml $(SOURCES) $(shell find src -name '*.py')
	@mkdir -p $(BENCH)
	@tools/venv $(PYTHON) $(BENCH)/venv
	$(BENCH)/venv/bin/python -m pip install -q --only-binary pybgpkit-parser '.[bench]'
	@touch $@

$(BENCH)/counts.json: bench/prepare.py $(BENCH)/venv/installed
	$(BENCH)/venv/bin/python bench/prepare.py $(BENCH)/venv/bin/bgpipe

bench: $(BENCH)/counts.json
	$(BENCH)/venv/bin/python bench/run.py $(BENCH)/venv/bin $(BENCH_OPTIONS)
	$(BENCH)/venv/bin/python bench/limit.py

# Sessions through the proxy, beside a direct connection and socat.
bench-live: $(BENCH)/venv/installed
	$(BENCH)/venv/bin/python bench/live.py $(BENCH_OPTIONS) $(BENCH)/venv/bin/bgpipe

# From a client to a server, over loopback.
bench-websocket: $(BENCH)/counts.json
	$(BENCH)/venv/bin/python bench/websocket.py $(BENCH_OPTIONS) $(BENCH)/venv/bin/bgpipe

instructions: $(BENCH)/counts.json
	$(BENCH)/venv/bin/python bench/instructions.py $(KERNELS)

clean:
	rm -rf $(VENV) build dist src/*.egg-info bench/data tests/fuzz/build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f src/bgpipe/*.so src/bgpipe/_*.c
	find src tests samples bench -name __pycache__ -prune -exec rm -rf {} +
