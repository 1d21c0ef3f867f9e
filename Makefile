# Everything here works on a fresh clone with Python 3.11 or newer and nothing else installed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint fmt lock schemas examples bench clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Create .venv from requirements.lock; does nothing when it is up to date

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating $(VENV) from requirements.lock; the first time takes half a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## Run a real recording through an embedded broker and a real worker
	@$(BIN)/undercurrent demo

test: lint ## Run all checks and all tests, with a real Kafka where Java and Maven are there
	@$(BIN)/python -m pytest

lint: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@find agents pipeline schemas tools tests bench -name '*.py' -exec wc -l {} + \
	  | awk '$$2 != "total" && $$1 > 400 { print "note: " $$2 " has " $$1 " lines; is it one thought?" }'

fmt: setup ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schemas: setup ## Write docs/schemas/ from the models
	$(BIN)/python -m tools.json_schemas

examples: setup ## Write what the program says of the samples into README.md and docs/examples.md
	$(BIN)/python -m tools.examples

bench: setup ## Measure intake against a plain Faust agent
	$(BIN)/python -m bench.intake_vs_agent

# Pinned with hashes for every platform and Python from 3.11 on; `make lock UPGRADE=--upgrade` takes newer versions.
lock: ## Write requirements.lock from pyproject.toml
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check install --quiet 'uv>=0.5'
	$(VENV)/lock/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --quiet $(UPGRADE) --output-file requirements.lock

clean: ## Remove what was installed, fetched and cached
	rm -rf $(VENV) .kafka .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
