# Everything a command needs, it installs: into .venv and .twintill, nowhere else.
SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2
# While one test waits for an answer that is lost, another one works.
TESTERS ?= 4
export PYTHONUNBUFFERED := 1
.DEFAULT_GOAL := help

.PHONY: help
help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY)  ## make .venv and install the locked dependencies (the other commands do it too)

$(READY): requirements.lock pyproject.toml scripts/setup
	@scripts/setup
	@touch $@

.PHONY: demo
demo: $(READY)  ## play the story on real parts; PROCESSOR=paypal|gocardless; ACT=2, ACT=3: more; KEEP=1 leaves it running
	@$(BIN)/twintill demo --act $(or $(ACT),1) $(if $(PROCESSOR),--processor $(PROCESSOR)) $(if $(KEEP),--keep)

.PHONY: demos
demos: $(READY)  ## all of it, one after the other: three processors, three acts; ends at the first that does not tie out
	@set -e; for with in sandbox paypal gocardless; do $(BIN)/twintill demo --processor $$with; done
	@set -e; for act in 2 3; do $(BIN)/twintill demo --act $$act; done

.PHONY: check
check: $(READY)  ## lint, types, import contracts, migrations, rules of the house
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy src tests migrations $(wildcard benchmarks)
	MYPYPATH=docs/examples/acme_pay $(BIN)/mypy docs/examples/acme_pay
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q tests/test_migrations.py tests/test_house.py

.PHONY: test
test: $(READY)  ## all tests that need no browser; the domain's coverage must be complete
	@mkdir -p .twintill
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n $(JOBS) tests/domain
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
	$(BIN)/pytest -q -n $(TESTERS) --dist worksteal -m "not browser" --ignore tests/domain

.PHONY: test-browser
test-browser: $(READY)  ## the pages' tests, in a real Chromium
	@scripts/find-chromium >/dev/null
	TWINTILL_CHROMIUM=$$(scripts/find-chromium) \
		$(BIN)/pytest -q -n $(JOBS) --dist worksteal -m browser tests/browser

SEEDS ?= 200
SEED ?= 0
WORLD ?= small
WHERE ?=
.PHONY: simulate
simulate: $(READY)  ## seeded worlds in virtual time: SEEDS=n, SEED=first, WORLD=small|month|year|doubts|core PROCESSOR=
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation --seeds $(SEEDS) --seed $(SEED) \
		--world $(WORLD) --where "$(WHERE)" --processor $(or $(PROCESSOR),sandbox)

.PHONY: prove
prove: $(READY)  ## plant each bug of tests/mutants in a copy: worlds must notice (ONLY=part of a name)
	@$(BIN)/python -m tests.simulation.prove --only "$(ONLY)" --jobs $(JOBS)

ONLY ?=
AT ?=
.PHONY: crash
crash: $(READY)  ## kill -9 web and worker at every I/O point, crash PostgreSQL, fail over (ALL=1, ONLY=case)
	@$(BIN)/python -m tests.crash --only "$(ONLY)" --at "$(AT)" $(if $(ALL),--all)

STAGES := $(patsubst %_stage.py,%,$(notdir $(wildcard tests/processors/*_stage.py)))
PROCESSOR ?=
.PHONY: contract
contract: $(READY)  ## every processor's adapter against its stand-in: table of processor x case (ONLY=words, PROCESSOR=one)
	$(if $(filter-out $(STAGES),$(PROCESSOR)),$(error there is no processor '$(PROCESSOR)': choose of $(STAGES)))
	@$(BIN)/python -m twintill.testing $(if $(ONLY),-k "$(ONLY)") \
		$(foreach name,$(or $(PROCESSOR),$(STAGES)),--stage tests.processors.$(name)_stage:$(name)_stage)

EXAMPLES ?= 200
API_SEED ?= $(shell date +%s)
.PHONY: api-fuzz
api-fuzz: $(READY)  ## requests that nobody thought of, against the API: EXAMPLES=per call, API_SEED=n
	@echo "API_SEED=$(API_SEED)"
	TWINTILL_API_EXAMPLES=$(EXAMPLES) TWINTILL_API_SEED=$(API_SEED) \
		$(BIN)/pytest -q tests/web/test_api_fuzz.py

.PHONY: bench
bench: $(READY)  ## what it costs: webhook intake, collecting, lists of a million invoices, as ratios
	$(BIN)/python -m benchmarks

.PHONY: fix
fix: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: lock
lock: $(READY)  ## choose the dependencies' versions anew, after a change of pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra demo --group dev \
		--generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock

define DISCARD
from pathlib import Path
from twintill.sandbox import postgres
for folder in filter(Path.exists, map(Path, (".twintill/pg", ".twintill/demo/pg"))):
    postgres.discard(folder)
endef
export DISCARD

.PHONY: clean
clean:  ## remove what these commands made
	@[ ! -d .twintill ] || [ ! -x $(BIN)/python ] || $(BIN)/python -c "$$DISCARD"
	rm -rf .venv .twintill .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
