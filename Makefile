# Two commands: `make run` starts the studio, `make test` checks all of it. Both set up what they need.
SHELL := /bin/bash
# uv does not read pip's settings, so pip's find-links is handed on: a torch CPU wheel on disk is used where there is one.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Modules are compiled once and kept, whatever the shell says: every process of the studio starts twice as fast.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
VENV ?= .venv
ARGILLA_VENV ?= .venv-argilla
OPENPIPE_VENV ?= .venv-openpipe
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv

run: $(VENV)/.installed $(ARGILLA_VENV)/.installed
	@$(PY) -m studio.cli up

demo: $(VENV)/.installed $(ARGILLA_VENV)/.installed
	@$(PY) -m studio.cli demo

test: check-fast system-tools $(ARGILLA_VENV)/.installed $(OPENPIPE_VENV)/.installed
	$(PY) -m pytest -q -p no:cacheprovider tests/unit tests/contract tests/rules -n 2
	$(PY) -m pytest -q -p no:cacheprovider tests/integration -n 2 --dist loadfile
	$(PY) -m pytest -q -p no:cacheprovider tests/browser

check: check-fast
	$(PY) -m pytest -q -x -m "not slow and not browser and not argilla" tests/unit tests/contract tests/rules -n 2

check-fast: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

bench: $(VENV)/.installed-dev
	$(PY) -m pytest -q -s tests/benchmarks

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

system-tools:
	@.ci/system-tools

$(VENV)/bin/uv:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q uv

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/uv
	$(UV) pip install -q --python $(PY) -r pyproject.toml -c constraints.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(UV) pip install -q --python $(PY) --group dev -c constraints.txt
	@touch $@

$(ARGILLA_VENV)/.installed: studio/label/argilla_server/requirements.txt | $(VENV)/bin/uv
	$(UV) venv -q --allow-existing --python $(PY) $(ARGILLA_VENV)
	$(UV) pip install -q --python $(ARGILLA_VENV)/bin/python -r $<
	@touch $@

$(OPENPIPE_VENV)/.installed: tests/contract/intakes/openpipe.txt | $(VENV)/bin/uv
	$(UV) venv -q --allow-existing --python $(PY) $(OPENPIPE_VENV)
	$(UV) pip install -q --python $(OPENPIPE_VENV)/bin/python -r $<
	@touch $@

.PHONY: run demo test check check-fast bench format system-tools
