# Two commands are enough on a fresh machine with Python 3.11 or newer: `make up` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests run side by side on as many processes as there are processors.
JOBS ?= auto

.PHONY: help install up test test-grafana lint bench bench-export bench-retention bench-dashboards dashboards lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Everything, locked, in a .venv of its own

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "no virtual environment can be made; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

up: install ## PostgreSQL, collector, demo events, and Grafana where one is installed; Ctrl-C stops all
	@$(BIN)/auditgraf up --demo

test: install ## All tests but those that need a Grafana
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not grafana"

test-grafana: install ## The tests with a real Grafana: GRAFANA_HOME=/path make test-grafana
	@test -n "$(GRAFANA_HOME)$(GRAFANA_URL)" || echo "No Grafana to test with: set GRAFANA_HOME to its folder," \
		"or GRAFANA_URL to a running one. Every test below is skipped."
	$(BIN)/python -m pytest -m grafana

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install ## Ingest end to end, and the mapping, next to their limits; figures in build/bench
	$(BIN)/python -m tests.benchmarks.ingest
	$(BIN)/python -m tests.benchmarks.mapping

bench-export: install ## Export of many events, next to a plain COPY; figures in build/bench/export.json
	$(BIN)/python -m tests.benchmarks.export

bench-retention: install ## Drops by size, and what writers notice; figures in build/bench/retention.json
	$(BIN)/python -m tests.benchmarks.retention

bench-dashboards: install ## Every dashboard query on 10 million events; figures in build/bench/dashboards.json
	$(BIN)/python -m tests.benchmarks.dashboards

dashboards: install ## Render the dashboards again that are committed under dashboards/json
	$(BIN)/python -m dashboards.build

lock: ## Lock the dependencies again, newest allowed versions (needs pip-tools in .venv)
	$(BIN)/python -m piptools compile $(LOCK) --output-file requirements/run.txt pyproject.toml
	$(BIN)/python -m piptools compile $(LOCK) --output-file requirements/build.txt requirements/build.in
	$(BIN)/python -m piptools compile $(LOCK) --extra demo --constraint requirements/run.txt \
		--output-file requirements/demo.txt pyproject.toml
	$(BIN)/python -m piptools compile $(LOCK) --all-extras --output-file requirements/dev.txt pyproject.toml requirements/dev.in

LOCK := --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

clean: ## Remove what was built and installed; .auditgraf (your data) stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
