# The project's verbs; `make` alone lists them. CI and pre-commit call the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
# More for pip, e.g. PIP_ARGS="--extra-index-url …" to choose a build of PyTorch.
PIP_ARGS ?=
HOST ?= 127.0.0.1
PORT ?= 8000
# Further chat models beside the demo models: local folders or hub ids, separated by spaces.
MODELS ?=
# More for the engine's benchmark, e.g. BENCH_ARGS="--peers all".
BENCH_ARGS ?=
# Processes that run the tests side by side; each spawns services of its own.
PROCESSES ?= 2
# The model of `make worker`.
MODEL ?= inference/demo_models/demo-large

.DEFAULT_GOAL := help
.PHONY: help demo test serve worker migrate format check bench messages lock clean

help: ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'

demo: $(VENV)/.runtime ## set everything up and open a working arena with small real models (HOST= PORT= MODELS=)
	@echo "── Preparing the database"
	@$(MANAGE) migrate --verbosity 0
	@echo "── Starting the site and the model worker"
	@exec $(MANAGE) serve --host $(HOST) --port $(PORT) $(foreach model,$(MODELS),--model $(model))

test: $(VENV)/.dev ## set everything up and run the whole suite with branch coverage (ARGS= for pytest, PROCESSES=2)
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadscope --cov --cov-report=term:skip-covered $(ARGS)

serve: $(VENV)/.runtime migrate ## the web process; all in one without REDIS_URL
	@exec $(MANAGE) serve --host $(HOST) --port $(PORT) $(foreach model,$(MODELS),--model $(model))

worker: $(VENV)/.runtime ## one model worker (MODEL=folder or hub id); needs REDIS_URL
	@exec $(MANAGE) worker --model-path $(MODEL)

migrate: $(VENV)/.runtime ## bring the database up to date
	@$(MANAGE) migrate --verbosity 0

format: $(VENV)/.dev ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/djlint --quiet --reformat . || true

check: $(VENV)/.dev ## style, types, import floors, templates, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --quiet --lint .
	DJANGO_SETTINGS_MODULE=fastchat_site.settings.test $(MANAGE) makemigrations --check --dry-run

bench: $(VENV)/.dev ## the benchmarks: tables on the screen, JSON under benchmarks/results/local/
	@mkdir -p benchmarks/results/local
	@$(BIN)/python -m benchmarks.engine --model llama-60m --streams 1,16 $(BENCH_ARGS) --json benchmarks/results/local/engine.json
	@for name in engine_turns engine_overhead engine_length transport api leaderboard; do \
	  $(BIN)/python -m benchmarks.$$name --json benchmarks/results/local/$$name.json || exit 1; done

messages: $(VENV)/.dev ## collect and compile translations (needs gettext)
	$(MANAGE) makemessages --locale zh_Hans --no-location --ignore "$(VENV)/*" --ignore "var/*" --ignore "node_modules/*"
	$(MANAGE) compilemessages --locale zh_Hans --ignore "$(VENV)/*"

lock: $(VENV)/.dev ## write constraints.txt: the versions this environment was tested with
	@echo "# Versions the suite passes with; written by 'make lock'." > constraints.txt
	@$(BIN)/pip freeze --exclude-editable | sed -E 's/^(torch==[0-9.]+).*/\1/' >> constraints.txt

clean: ## remove the environment and the caches; the data in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: install it and try again."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed, found: $$($(PYTHON) --version). Name another with PYTHON=…"; exit 1; }
	@echo "── Making the Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is incomplete: install it (Debian: apt install python3-venv)."; rm -rf $(VENV); exit 1; }
	@$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.runtime: pyproject.toml constraints.txt | $(BIN)/python
	@echo "── Installing packages (a few minutes the first time; PyTorch is the large one)"
	@$(BIN)/pip install --constraint constraints.txt $(PIP_ARGS) --editable . 2>&1 | sed -uE '/^(Collecting|  Downloading|Installing|ERROR|error)/!d; s/^Collecting ([^ ]+).*/  \1/; s/^  Downloading [^ ]+ /    downloading /; s/^Installing.*/  unpacking/'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "── Installing packages and the developers' tools"
	@$(BIN)/pip install --quiet --constraint constraints.txt $(PIP_ARGS) --editable '.[dev]'
	@touch $(VENV)/.runtime $@
