# leafbench: `make help` lists what there is. Nothing here needs a network but `make install`.
# GNU make turns every failing recipe into exit status 2: whoever needs leafbench's own status
# (0 fine, 1 some trials failed, 2 wrong usage or data, 130 interrupted) calls .venv/bin/leafbench.

PYTHON ?= python3
SUITE  ?= quick
DATA   ?= data/leaves
IMAGES ?= 1843
PHASE  ?= improved
RUN    ?= reports/latest
REF    ?= HEAD
BUDGET ?= 15m

VENV      := .venv
BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install data bench bench-smoke report trace train tune check test lint format benchmarks microbench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables: SUITE=$(SUITE) DATA=$(DATA) RUN=$(RUN) REF=$(REF) PHASE=$(PHASE) IMAGES=$(IMAGES) (leaves that 'data' makes)"

install: $(INSTALLED) ## make .venv from requirements.lock, with leafbench in it

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

data: $(INSTALLED) ## generate IMAGES leaves in data/leaves
	$(BIN)/leafbench data make --out data/leaves --images $(IMAGES)

data/leaves/manifest.json: | $(INSTALLED)
	$(BIN)/leafbench data make --out data/leaves --images $(IMAGES)

bench: $(INSTALLED) $(if $(filter data/leaves,$(DATA)),data/leaves/manifest.json) ## run a suite and report (SUITE, DATA)
	$(BIN)/leafbench run --suite "$(SUITE)" --data "$(DATA)"

bench-smoke: ## the smallest suite: does everything work here?
	@$(MAKE) --no-print-directory bench SUITE=smoke

report: $(INSTALLED) ## write the report of a run again (RUN)
	$(BIN)/leafbench report "$(RUN)"

trace: $(INSTALLED) ## look at a run, its scalars and its traces in TensorBoard (RUN)
	$(BIN)/leafbench trace "$(RUN)"

train: $(INSTALLED) $(if $(filter data/leaves,$(DATA)),data/leaves/manifest.json) ## train a phase to its end (PHASE, DATA)
	$(BIN)/leafbench train --phase "$(PHASE)" --data "$(DATA)"

tune: $(INSTALLED) $(if $(filter data/leaves,$(DATA)),data/leaves/manifest.json) ## study the CNN's hyperparameters (DATA)
	$(BIN)/leafbench tune --data "$(DATA)"

check: $(INSTALLED) $(if $(filter data/leaves,$(DATA)),data/leaves/manifest.json) ## is the working tree slower than REF? (REF, BUDGET, DATA)
	@echo "make turns every status but 0 into 2; a CI job calls the gate itself:"
	@echo "  $(BIN)/leafbench check --against $(REF) --budget $(BUDGET) --data $(DATA)"
	@$(BIN)/leafbench check --against "$(REF)" --budget "$(BUDGET)" --data "$(DATA)"

test: $(INSTALLED) ## the tests
	$(BIN)/python -m pytest

lint: $(INSTALLED) ## ruff (lint and format) and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases benchmarks/*.py benchmarks/gate_campaign/*.py

format: $(INSTALLED) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmarks: $(INSTALLED) ## benchmarks of leafbench itself, about eight minutes (benchmarks/README.md)
	$(BIN)/python benchmarks/run_all.py

microbench: $(INSTALLED) ## each part of the input pipelines alone, two minutes (MICROBENCH: more options of pytest)
	@mkdir -p reports/microbench
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-columns=median,iqr,rounds \
	  --benchmark-json="reports/microbench/$$(date -u +%Y%m%d-%H%M%S).json" $(MICROBENCH)

lock: ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock

clean: ## remove .venv and caches; runs and generated leaves stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
