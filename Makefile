# ravdess-mm: from a folder of RAVDESS files to an HTML report. `make help` lists targets and variables.

SHELL := /bin/sh
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# stages, what each needs, and variables: also what `ravdess-mm run` reads
GRAPH := ravdess_mm/run/stages.mk
include $(GRAPH)
ARGS ?=            ## further words for the command, such as ARGS=--debug

STAGES := $(filter-out all,$(shell sed -n 's/^\([a-z-]*\):.*/\1/p' $(GRAPH)))
OTHERS := RUNS FACES N
VARIABLES := $(filter-out $(OTHERS),$(shell sed -n 's/^\([A-Z_]*\) ?=.*/\1/p' $(GRAPH)))
KNOWN := $(VARIABLES) $(OTHERS) ARGS PYTHON MAKEFLAGS SHELL

# A misspelt variable would be ignored in silence: refuse it.
UNKNOWN := $(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(filter-out $(KNOWN),$(name))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown variable $(firstword $(UNKNOWN)); allowed: $(VARIABLES) $(OTHERS) ARGS)
endif

quoted = '$(subst ','\'',$(strip $(1)))'
SETTINGS = $(foreach name,$(VARIABLES),$(if $(strip $($(name))),$(name)=$(call quoted,$($(name)))))
compare: VARIABLES = RUNS CONFIG SEED
face-network: VARIABLES = FACES NET SEED

.PHONY: all $(STAGES) test fuzz kill-test lint help setup clean

$(STAGES): $(READY)
	@PYTHONUNBUFFERED=1 $(BIN)/python -m pipelines.$(subst -,_,$@) $(SETTINGS) $(ARGS)

test: $(VENV)/.ready-test ## all tests
	@PYTHONUNBUFFERED=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

fuzz: $(VENV)/.ready-test ## N=500 damaged and hostile files, each met by a child that is watched
	@$(BIN)/python -m tests.fuzz $(or $(N),500)

kill-test: $(VENV)/.ready-test ## every stage of the sample killed at N=30 moments and at every rename
	@$(BIN)/python -m tests.fuzz.kill $(or $(N),30)

lint: $(VENV)/.ready-test ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

setup: $(READY) ## the virtual environment with everything a run needs

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"error: Python 3.11 to 3.13 is needed, {v[0]}.{v[1]} was found; say which: make PYTHON=python3.12")'
	@echo "setting up $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train]'
	@touch $@

$(VENV)/.ready-test: $(READY)
	@echo "setting up test and lint tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,lint]'
	@touch $@

clean: ## remove reports and artifacts (not the environment)
	rm -rf artifacts reports/*/

# the rows of a section of a file, or of a whole one
rows = awk '/^\# / {part = $$2} /[:=].* \#\# / && ("$(2)" == "" || part == "$(2)") \
    {name = $$1; sub(/:$$/, "", name); sub(/.*\#\# /, ""); printf "  %-18s %s\n", name, $$0}' $(1)

help: ## this list
	@echo "stages:"
	@$(call rows,$(GRAPH),stages)
	@echo "experiments:"
	@$(call rows,$(GRAPH),experiments)
	@echo "also:"
	@grep '^[a-z-]*:' Makefile | $(call rows)
	@echo "variables, as make NAME=value:"
	@$(call rows,$(GRAPH),variables)
	@grep '^ARGS ?=' Makefile | $(call rows)
