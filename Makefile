# One command each; every target installs first what is missing. Run as root on Debian 12.
SHELL := /bin/bash
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:$(PATH)
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTEST_ADDOPTS MAKEFLAGS

# Tests in so many parts, two at a time, the longest first: each waits for switches and databases half of its time.
PARTS := 6 5 2 3 4 1

.PHONY: help install root lint test test-all bench fuzz demo run clean $(PARTS:%=part-%)

help:           ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed root       ## what the other targets need: Debian packages, .venv

.venv/installed: setup.cfg pyproject.toml scripts/install.sh
	@bash scripts/install.sh

root:
	@[ "$$(id -u)" = 0 ] || { echo "make: must run as root: labs are made of network namespaces" >&2; exit 1; }
	@command -v ovs-vswitchd >/dev/null || { echo "make: ovs-vswitchd is missing; remove .venv and run make install" >&2; exit 1; }

lint: install   ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint      ## lint, then every test that is not slow
	@$(MAKE) --no-print-directory -k -j2 --output-sync=target $(PARTS:%=part-%)
	$(BIN)/python -m pytest -m "not slow" tests/mininet

$(PARTS:%=part-%): part-%:
	$(BIN)/python -m pytest -m "not slow" --splits $(words $(PARTS)) --group $*

test-all: lint  ## all tests, the slow ones too
	$(BIN)/python -m pytest
	$(BIN)/python -m pytest tests/mininet

bench: install  ## the figures, as a table
	$(BIN)/python -m bench

fuzz: lint      ## ten million mutated messages, by chance and by coverage
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check --no-input -e '.[test,fuzz]' </dev/null
	$(BIN)/python -W ignore -m fuzz

demo: install   ## play the use cases on two hypervisors
	$(BIN)/python -m demo

run: install    ## leave controller and topology up, with a prompt
	$(BIN)/python -m demo.playground

clean:          ## remove .venv and caches
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
