# One command per chore. `make` alone lists them.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PROJECTS := $(wildcard kernel/pyproject.toml plugins/*/pyproject.toml plugins/*/*/pyproject.toml)
TREES := $(patsubst %/pyproject.toml,%,$(PROJECTS))
CODE := kernel plugins tests bench scripts docs/examples
empty :=
space := $(empty) $(empty)
export MYPYPATH := $(subst $(space),:,$(TREES))

.PHONY: help run test lint types bench clean
help:
	@echo "make run     set up and start the server (Ctrl-C drains and stops it)"
	@echo "make test    set up, then lint, types, import rules and all tests: what CI runs"
	@echo "make lint    lint, format, types and import rules only"
	@echo "make bench   capacity and latency beside a floor (about 5 minutes, an idle machine)"
	@echo "make clean   remove what the others made"

run: $(VENV)/installed
	@exec $(BIN)/hookswitch serve

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/developing
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/developing
	$(BIN)/python -m bench.capacity $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "hookswitch needs Python 3.11 or newer: none was found"; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --upgrade pip

$(VENV)/installed: $(VENV)/bin/python $(PROJECTS)
	@echo "installing $(TREES)"
	@$(BIN)/pip install --quiet $(addprefix -e ./,$(TREES))
	@touch $@

$(VENV)/developing: $(VENV)/installed pyproject.toml
	@echo "installing the tools of development"
	@$(BIN)/pip install --quiet --group dev
	@touch $@
