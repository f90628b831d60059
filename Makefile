# `make demo` and `make test` need only Python >= 3.11, make and a package index; each sets itself up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LDAP_STAMP := $(VENV)/.installed-ldap

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench screenshots ldap lock clean

help:
	@echo "make demo    the main job, end to end, against simulators on this machine"
	@echo "make test    the tests"
	@echo "make lint    ruff, mypy, import-linter, codespell"
	@echo "make bench   the measured bars, see benchmarks/README.md"
	@echo "make ldap    what the ldap source needs; compiles, so it needs gcc and the headers of OpenLDAP and SASL"

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV) (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(LDAP_STAMP): requirements-ldap.lock $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-ldap.lock
	@touch $@

ldap: $(LDAP_STAMP)

demo: $(STAMP)
	@$(BIN)/usersync demo

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	@$(BIN)/python benchmarks/run.py

# The pictures of docs/, taken by tests in Prefect's pages and in those of the service; needs Chromium.
screenshots: $(STAMP)
	@USERSYNC_REQUIRE=chromium USERSYNC_SCREENSHOTS=docs/pictures $(BIN)/python -m pytest -n 0 tests/flow/test_in_the_browser.py tests/e2e/test_service_in_the_browser.py

# Exact pins with hashes and without addresses, for every Python we support. Needs uv, and only when dependencies change.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
