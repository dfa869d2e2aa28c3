# Ostinato's entry points.  `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
DOCKER ?= docker
PYTEST_ARGS ?=
PEERS ?=
PROFILE_SECONDS ?= 15
STACK ?= server prometheus grafana envoy trainer
FUZZ_REQUESTS ?= 100000
FUZZ_SECONDS ?= 60
FUZZ_ARGS ?=
SOAK_SECONDS ?= 600
SOAK_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

# A stamp says that the environment holds what pyproject.toml and constraints.txt asked for when it was made.
SERVING := $(VENV)/.installed-serving
EVERYTHING := $(VENV)/.installed-everything
GENERATOR := $(VENV)/.installed-generator
TYPED := client/ostinato_client server/ostinato_server models/ostinato_bundle models/ostinato_models \
         bench/ostinato_bench bench/peers/work tests

# These keep files below HOME otherwise, which may not be writable.
export BUF_CACHE_DIR := $(CURDIR)/$(VENV)/buf-cache
export MPLCONFIGDIR := $(CURDIR)/$(VENV)/matplotlib
# With it, cd in a script may enter another folder and print its name.
unexport CDPATH

.PHONY: help
help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

$(SERVING): pyproject.toml constraints.txt
	@PYTHON=$(PYTHON) scripts/environment $(VENV) server

$(EVERYTHING): pyproject.toml constraints.txt
	@PYTHON=$(PYTHON) scripts/environment $(VENV) all,dev
	@touch $(SERVING) $@

$(GENERATOR): proto/generator.txt $(EVERYTHING)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	  --target $(VENV)/stub-generator -r proto/generator.txt
	@touch $@

.PHONY: install
install: $(EVERYTHING) $(GENERATOR)  ## Make .venv with everything: server, PyTorch, training, development

.PHONY: demo
demo: $(SERVING)  ## Serve the shipped models and stream from them; installs only what serving needs
	@scripts/demo

.PHONY: bundles
bundles: $(EVERYTHING)  ## Derive every format of models/pretrained into repository/
	@$(BIN)/ostinato export --bundle models/pretrained --out repository

.PHONY: test
test: check  ## Complete .venv, check the sources and run every test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-fresh
test-fresh:  ## Run the README's commands on bare Debian 12 and 13 (FRESH_DIR keeps the systems); needs root and debootstrap
	@PYTHON=$(PYTHON) scripts/test-fresh

.PHONY: test-versions
test-versions:  ## Install the oldest and the newest dependencies allowed and make one call of each kind; Python 3.11
	@PYTHON=$(PYTHON) scripts/test-versions

.PHONY: test-stack
test-stack: $(EVERYTHING) images  ## Start the compose stack and try it: calls, hardening, a kill under streams
	@STACK="$(STACK)" DOCKER="$(DOCKER)" $(BIN)/python -m pytest tests/stack $(PYTEST_ARGS)

.PHONY: check
check: $(EVERYTHING) $(GENERATOR)  ## Lint, format, types, import contracts, stale stubs, the contract's style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	scripts/check-stubs

.PHONY: proto
proto: $(EVERYTHING) $(GENERATOR)  ## Regenerate the gRPC stubs beside the contract
	scripts/proto

.PHONY: bench-micro
bench-micro: $(EVERYTHING)  ## Time single steps of every runtime
	@$(BIN)/python -m ostinato_bench.micro

.PHONY: bench-goals
bench-goals: $(EVERYTHING)  ## Measure the server against its goals: every runtime of the CPU, two threads and one
	@test -d repository || $(MAKE) bundles
	@$(BIN)/python -m ostinato_bench.goals

.PHONY: bench-gpu
bench-gpu: $(EVERYTHING)  ## The same on a GPU; says so where there is no CUDA
	@$(BIN)/python -m ostinato_bench.goals --device cuda

.PHONY: bench-peers
bench-peers: $(EVERYTHING)  ## Compare with other servers (PEERS="litserve triton" for some) into docs/benchmarks.md
	@test -d repository || $(MAKE) bundles
	@$(BIN)/python -m ostinato_bench.peers $(PEERS)

.PHONY: profile
profile: $(EVERYTHING)  ## Draw a flame graph of a server under load into runs/profile.svg
	@scripts/profile $(PROFILE_SECONDS)

.PHONY: fuzz
fuzz: $(EVERYTHING)  ## Send every call FUZZ_REQUESTS mutated requests, every reader of bytes FUZZ_SECONDS of them
	@$(BIN)/python -m tests.fuzz --requests $(FUZZ_REQUESTS) $(FUZZ_ARGS)
	@$(BIN)/python -m tests.fuzz.guided --seconds $(FUZZ_SECONDS)

.PHONY: soak
soak: $(EVERYTHING)  ## Keep a server of the shipped models busy and in trouble for SOAK_SECONDS, then count what it holds
	@$(BIN)/python -m tests.soak --seconds $(SOAK_SECONDS) $(SOAK_ARGS)

.PHONY: audit
audit: $(EVERYTHING)  ## Look up known vulnerabilities of every pinned version; fails where that cannot be asked
	@$(BIN)/pip-audit --strict --disable-pip --no-deps -r constraints.txt

.PHONY: sbom
sbom: $(EVERYTHING)  ## Write what .venv holds, with licences and dependencies, to runs/sbom.json (CycloneDX)
	@mkdir -p runs
	@$(BIN)/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-reproducible -o runs/sbom.json

.PHONY: images
images:  ## Build the server and trainer images
	$(DOCKER) build -f server/Dockerfile -t ostinato/server:$(VERSION) .
	$(DOCKER) build -f models/Dockerfile -t ostinato/trainer:$(VERSION) .
