# make demo     the console over a live simulated world, offline          make test    every test that needs PyPI only
# make install  .venv/bin/huntaze, what the others build on               make check   format, lint, types, import contracts
# make system   tests with Debian's tools (tmux, sshd …)                  make soak    tests that take long
# make bench    the figures of docs/benchmarks.md                         make lock    pin requirements.lock again

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
RUNTIME_STAMP := $(VENV)/.runtime
DEVELOPMENT_STAMP := $(VENV)/.development

.PHONY: install demo test check format system soak bench lock clean

install: $(RUNTIME_STAMP)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "huntaze needs Python 3.11 or newer; name one with: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The lock's first part is what the product runs on; the second is what its developers need besides.
$(RUNTIME_STAMP): requirements.lock pyproject.toml | $(BIN)/python
	sed '/^# --- development/,$$d' requirements.lock > $(VENV)/runtime.lock
	$(PIP) install --require-hashes -r $(VENV)/runtime.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT_STAMP): $(RUNTIME_STAMP)
	$(PIP) install --require-hashes -r requirements.lock
	@touch $@

demo: $(RUNTIME_STAMP)
	@$(BIN)/huntaze demo

test: $(DEVELOPMENT_STAMP)
	$(BIN)/pytest -n 2 --dist worksteal -m "not system and not soak"

check: $(DEVELOPMENT_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPMENT_STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

system: $(DEVELOPMENT_STAMP)
	@missing=""; for tool in tmux screen sshd ssh chromium; do PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ]; then echo "make system needs these tools, which are not installed:$$missing"; exit 1; fi
	$(BIN)/pytest -m system

soak: $(DEVELOPMENT_STAMP)
	$(BIN)/pytest -m soak

bench: $(DEVELOPMENT_STAMP)
	$(BIN)/python -m benchmarks

lock:
	@.ci/lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
