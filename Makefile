SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run test test-long lint contracts lock bench clean

FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.14 python3.11; do \
	$$name -c '$(FITS)' 2>/dev/null && echo $$name && break; done)
SCALE ?= small
SEED ?=

help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:[^#]*## /\t/' | sort | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: .venv/.ready ## make .venv with everything, from the hash-locked requirements

.venv/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Cần Python 3.11 đến 3.14 / needs Python 3.11 to 3.14; or say PYTHON=…"; exit 1; }
	@test -x .venv/bin/python || "$(PYTHON)" -m venv .venv
	@echo "Đang cài thư viện / installing libraries …"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch .venv/.ready

run: setup ## start the whole system with the demo province; Ctrl-C stops it
	@exec .venv/bin/python -m vonggac up $(ARGS)

test: setup ## every promise, at small sizes
	@VONGGAC_SCALE=$(SCALE) .venv/bin/python -m pytest $(ARGS)

test-long: ## every promise, at large sizes (hours)
	@$(MAKE) --no-print-directory test SCALE=large

lint: setup ## style, types and the floors of the house
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports --no-cache

contracts: setup ## freeze new contracts and write docs/asyncapi.json
	@.venv/bin/python -m foundation.contracts.freeze && .venv/bin/python -m foundation.contracts.asyncapi

lock: ## write the requirements again, with hashes and without addresses (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --all-extras -o requirements.lock pyproject.toml
	uv pip compile --universal --generate-hashes --no-emit-index-url -c requirements.lock -o deploy/requirements.lock pyproject.toml

bench: setup ## measure; each script prints ratios
	@for script in benchmarks/bench_*.py; do .venv/bin/python -m "benchmarks.$$(basename "$$script" .py)" || exit 1; done

clean: ## remove what make made, but not the data
	@rm -rf .venv .cache .ci/out build *.egg-info
