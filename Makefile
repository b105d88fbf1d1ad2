# Two commands: `make demo` runs a real study through the scheduler, `make test` runs the tests.
# Everything lands in .venv; no root. Another Python: make PYTHON=/path/to/python3.12 demo

VENV := .venv
RUN := $(VENV)/bin/python
PYTEST := $(RUN) -m pytest
WORKERS ?= auto

help:
	@echo "make demo      install into .venv and run examples/census through the scheduler"
	@echo "make test      install with the tools of development and run the tests"
	@echo "make test-clusters  the tests of back ends, against real schedulers (as root, on Debian)"
	@echo "make test-gpu  the tests that need a card of NVIDIA's"
	@echo "make conformance    what holds on which back end, written down (ON=NAME: of one, shown)"
	@echo "make campaign  the long tests: crashes at every write, random histories"
	@echo "make lint      style, types, import contracts, shape, generated pages"
	@echo "make format    let ruff rewrite the sources"
	@echo "make reference write the generated pages and pictures of docs anew"
	@echo "make docs      build the documentation into site/"
	@echo "make bench     the benchmarks, results as JSON"
	@echo "make clean     remove .venv and everything built"

demo: venv-package
	@$(RUN) examples/census/run.py

test: venv-dev
	$(PYTEST) -m "not slow" -n $(WORKERS) -q

test-clusters: venv-dev # each suite installs, starts and ends the real scheduler that it needs
	$(PYTEST) tests/backends tests/clusters tests/conformance -n $(WORKERS) -q

test-gpu: venv-dev
	$(PYTEST) -m gpu -q

conformance: venv-dev # as root, on Debian, for those that have to be installed
	$(RUN) -m tests.conformance.matrix $(ON)
	$(if $(ON),,$(RUN) -m tools.reference)

campaign: venv-dev
	HYPOTHESIS_PROFILE=campaign $(PYTEST) -m slow -n $(WORKERS)

lint: venv-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m tools.shape
	@$(MAKE) -s reference-check

format: venv-dev
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

reference: venv-dev
	$(RUN) -m tools.reference
	$(RUN) -m tools.lifecycle_diagram
	$(RUN) -m tools.picture
	$(RUN) -m tools.policy_pictures

reference-check: venv-dev
	$(RUN) -m tools.reference --check
	$(RUN) -m tools.lifecycle_diagram --check
	$(RUN) -m tools.picture --check
	$(RUN) -m tools.policy_pictures --check

docs: venv-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict --quiet

bench: venv-dev
	$(RUN) benchmarks/all.py

clean:
	rm -rf $(VENV) build dist site src/*.egg-info .mypy_cache .ruff_cache .pytest_cache \
	    .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv-package venv-dev venv-docs: venv-%:
	@tools/venv.sh $*

.PHONY: help demo test test-clusters test-gpu conformance campaign lint format reference reference-check docs bench clean
.PHONY: venv-package venv-dev venv-docs
