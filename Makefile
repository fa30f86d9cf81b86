# ravdess-mm: from a folder of RAVDESS files to an HTML report. `make help` lists targets and variables.

SHELL := /bin/sh
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# ---- variables of a run: one line each, the words after ## are what `make help` shows
DATA ?=            ## folders of clips and of action-unit tables (.csv), or such tables, separated by spaces (none: the synthetic sample)
RUN ?=             ## name of the run (none: sample, or the name of the data folder)
PROTOCOL ?=        ## holdout, luna5, emobox6 or loso: how actors are split (none: holdout)
TEST_ACTORS ?=     ## test actors of a holdout, such as 21-24 or 1,17-20 (none: 21-24)
ADAPT ?=           ## none, or speaker: standardise with each actor's own unlabelled clips
NOISE_TAKES ?=     ## test takes an actor that make noise measures (none: 20; all: 60)
CORPORA ?=         ## other corpora for make cross-corpus: name=folder of each, separated by spaces
ENCODER ?=         ## another speech encoder: the folder of a Whisper encoder's safetensors (none: the one that ships)
CHANNEL ?=         ## speech, song or both (none: speech)
FRAME_STEP ?=      ## keep every n-th frame of a clip (none: 20)
CROP ?=            ## none, or face
DETECTOR ?=        ## what finds the faces that CROP=face cuts out: haar, or mtcnn, which is an extra (none: haar)
NET ?=             ## network of the video branch: seed, compact, vgg19 or resnet18 (all but seed want CROP=face)
FINE_TUNE ?=       ## start the video network from a trained face network: none, face-compact, or its folder
RULE ?=            ## mean, product, weighted, stacking or pool: how voice and face are fused (none: pool)
JOBS ?=            ## processes (none: one a core)
BACKEND ?=         ## loky or dask: what spreads the work
SEED ?=            ## seed of everything random (none: 20)
CONFIG ?=          ## a TOML file with any setting of ravdess_mm/config.py
RUNS ?=            ## runs of `make compare`, separated by spaces; the first is what the others are set against
FACES ?=           ## FER2013, for make face-network: a folder, a zip, or its CSV
ARGS ?=            ## further words for the command, such as ARGS=--debug

VARIABLES := DATA RUN PROTOCOL TEST_ACTORS ADAPT NOISE_TAKES CORPORA ENCODER CHANNEL FRAME_STEP CROP DETECTOR NET FINE_TUNE RULE JOBS BACKEND SEED CONFIG
KNOWN := $(VARIABLES) RUNS FACES ARGS PYTHON MAKEFLAGS SHELL

# A misspelt variable would be ignored in silence: refuse it.
UNKNOWN := $(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(filter-out $(KNOWN),$(name))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown variable $(firstword $(UNKNOWN)); allowed: $(VARIABLES) RUNS FACES ARGS)
endif

quoted = '$(subst ','\'',$(strip $(1)))'
SETTINGS = $(foreach name,$(VARIABLES),$(if $(strip $($(name))),$(name)=$(call quoted,$($(name)))))
STAGE = PYTHONUNBUFFERED=1 $(BIN)/python -m

.PHONY: all features audio-models audio-embedding video-cnn video-embedding video-action-units fuse report noise importance cross-corpus test lint help setup clean
.PHONY: evaluate compare leak-demo face-network

all: report ## everything, from clips to the report

features: $(READY) ## catalog of clips, voice features, video frames
	@$(STAGE) pipelines.features $(SETTINGS) $(ARGS)

audio-embedding: features ## a frozen speech encoder's states, pooled, and a classifier on them
	@$(STAGE) pipelines.audio_embedding $(SETTINGS) $(ARGS)

audio-models: features ## RandomForest, SVC, XGBoost, logistic regression, a dense network, their ensemble
	@$(STAGE) pipelines.audio_models $(SETTINGS) $(ARGS)

video-cnn: features ## the convolutional network on the frames
	@$(STAGE) pipelines.video_cnn $(SETTINGS) $(ARGS)

video-action-units: features ## classifiers on the action units of .csv files among DATA and in its folders; nothing without any
	@$(STAGE) pipelines.video_action_units $(SETTINGS) $(ARGS)

video-embedding: features ## a trained face network's own answers, and classifiers on what it sees; nothing without one
	@$(STAGE) pipelines.video_embedding $(SETTINGS) $(ARGS)

fuse: audio-models audio-embedding video-cnn video-embedding video-action-units ## voice and face fused, metrics of all models
	@$(STAGE) pipelines.fuse $(SETTINGS) $(ARGS)

evaluate: $(READY) ## all models under PROTOCOL (several: luna5,loso; or all), and a table of their figures
	@$(STAGE) pipelines.evaluate $(SETTINGS) $(ARGS)

compare: $(READY) ## runs side by side with paired tests: make compare RUNS="a b"
	@$(STAGE) pipelines.compare RUNS=$(call quoted,$(RUNS)) $(if $(CONFIG),CONFIG=$(call quoted,$(CONFIG))) $(if $(SEED),SEED=$(SEED)) $(ARGS)

leak-demo: features ## what a split that ignores actors would claim: a demonstration, shown in the report
	@$(STAGE) pipelines.leak_demo $(SETTINGS) $(ARGS)

report: fuse ## the HTML report; prints its path last
	@$(STAGE) pipelines.report $(SETTINGS) $(ARGS)

noise: audio-models audio-embedding ## what noise, telephone, MP3, 16 kHz, offset and click cost the voice models; shown by the next make report
	@$(STAGE) pipelines.noise $(SETTINGS) $(ARGS)

cross-corpus: $(READY) ## each corpus tested by what the others taught, CORPORA="emodb=folder nemo=folder"; shown by the next make report
	@$(STAGE) pipelines.cross_corpus $(SETTINGS) $(ARGS)

importance: audio-models ## which families of features the voice models listen to; shown by the next make report
	@$(STAGE) pipelines.importance $(SETTINGS) $(ARGS)

face-network: $(READY) ## the face network that ships, trained anew: FACES=fer2013.zip (45 CPU minutes); another one: NET=vgg19
	@test -n $(call quoted,$(FACES)) || { echo "error: FACES=... says where FER2013 is: a folder, a zip, or its CSV"; exit 2; }
	@$(STAGE) pipelines.face_network FACES=$(call quoted,$(FACES)) $(foreach name,NET SEED,$(if $(strip $($(name))),$(name)=$(call quoted,$($(name))))) $(ARGS)

test: $(VENV)/.ready-test ## all tests
	@PYTHONUNBUFFERED=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: $(VENV)/.ready-test ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

setup: $(READY) ## the virtual environment with everything a run needs

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"error: Python 3.11 to 3.13 is needed, {v[0]}.{v[1]} was found; say which: make PYTHON=python3.12")'
	@echo "setting up $(VENV) (once; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.ready-test: $(READY)
	@echo "setting up test and lint tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,lint]'
	@touch $@

clean: ## remove reports and artifacts (not the environment)
	rm -rf artifacts reports/*/

help: ## this list
	@echo "targets:"
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "variables, as make NAME=value:"
	@awk -F' *[?]= *## ' '/^[A-Z_]+ [?]= *##/ {sub(/ *[?]=.*/, "", $$1); n = $$0; sub(/.*## /, "", n); printf "  %-18s %s\n", $$1, n}' $(firstword $(MAKEFILE_LIST))
