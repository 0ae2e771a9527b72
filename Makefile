# Every target sets up what it needs. SETUP.STAMP is rebuilt when pyproject.toml changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.sonarstack-setup
OUT    ?= demo-out
# --no-header and --no-emit-index-url: a compiled file names versions only, never where they came from.
COMPILE = uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url pyproject.toml

.PHONY: rules rehearse up down plan engine tiles image-cpu image-detect image-cuda image-cloud pin help demo test check lint types format setup requirements clean

help:
	@echo "make demo    simulate, train, detect, report: under a minute, no GPU, no account"
	@echo "make test    the whole test suite"
	@echo "make check   lint, types and tests: what CI runs"
	@echo "make setup   only the virtual environment in $(VENV)"
	@echo "make plan    STACK=local: what the target consists of and can cost at most; no engine, account or network"
	@echo "make up      STACK=local: train there; make down STACK=local: stop, bring home, remove everything"
	@echo "make rehearse  the whole of Runpod on this machine, simulated: no account, no GPU"
	@echo "make engine  the pulumi program, by Pulumi's own installer"
	@echo "make requirements   newer pins (needs uv)"

setup: $(STAMP)

$(STAMP): pyproject.toml requirements-dev.txt setup.sh
	@PYTHON="$(PYTHON)" sh setup.sh $(VENV)
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/python -m app demo --out $(OUT)

# Two at once, whole files each: much of the suite waits for engines, machines that start, and clocks.
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# Simulated tiles for a first run; TILES=folder for one's own.
TILES ?= tiles
STACK ?= local
tiles: $(STAMP)
	@[ -d $(TILES) ] || $(BIN)/python -m app simulate --tiles 240 --out $(TILES)

plan: $(STAMP)
	@$(BIN)/python -m stacks plan $(STACK)

up: $(STAMP) tiles
	@$(BIN)/python -m stacks up $(STACK) --yes

rehearse: $(STAMP)
	@$(BIN)/python -m stacks rehearse runpod

down: $(STAMP)
	@$(BIN)/python -m stacks down $(STACK) --yes

engine: $(STAMP)
	@$(BIN)/python -m stacks engine

image-cuda:
	docker build -f images/cuda/Dockerfile -t sonarstack:cuda $(BUILD_ARGS) .

image-cloud: image-cuda
	docker build -f images/cloud/Dockerfile -t sonarstack:cloud $(BUILD_ARGS) .

image-cpu:
	docker build -f images/cpu/Dockerfile -t sonarstack:cpu $(BUILD_ARGS) .

image-detect:
	docker build -f images/cpu/Dockerfile --target detect -t sonarstack:detect $(BUILD_ARGS) .

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

# Where the engine is, its tests of the rules that stop an `up` need the rules' own environment; without it they skip.
rules: $(STAMP)
	@if command -v pulumi >/dev/null; then $(BIN)/python -m stacks engine --rules || true; fi

check: lint types rules test

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The largest set first: what it can agree on (protobuf, which pulumi holds back) is what the images get, one file each.
requirements: $(STAMP)
	$(COMPILE) --upgrade --extra dev -o requirements-dev.txt
	$(COMPILE) -c requirements-dev.txt -o requirements.txt
	grep -vE '^(nvidia-|cuda-|triton)' requirements.txt > requirements-cpu.txt
	$(COMPILE) -c requirements-dev.txt --extra cloud -o requirements-cloud.txt

# The digests of the base images, read from their registries.
pin: $(STAMP)
	@$(BIN)/python -m stacks pin

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
