# OpenRPP: `make` alone lists what there is to do. Everything runs in .venv, which is made on first use.

PYTHON ?= python3
# pytest-xdist workers; `auto` is one per core, and 8 at most are started.
WORKERS ?= auto
PHOTO ?= build/photo.png
PROMPT ?= What is the capital of France?

CORPORA := $(if $(POLYBENCH),--polybench "$(POLYBENCH)") $(if $(RODINIA),--rodinia "$(RODINIA)") $(if $(HECBENCH),--hecbench "$(HECBENCH)")

BIN := .venv/bin
# Files that say which extras the environment holds; a changed pyproject.toml renews them.
RUN_READY := .venv/.ready-run
DEV_READY := .venv/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help run demo-photo test lint bench-machine bench-cuda bench-mapping bench-slice calibrate conformance corpora-compile equality slice docs wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUN_READY) ## the main job: a Llama on the virtual card answers PROMPT, then what you type; pulls 98 MB of weights at first
	$(BIN)/rpp chat --interactive --prompt "$(PROMPT)"

demo-photo: $(RUN_READY) ## filter a photo from scikit-image on the card, write PHOTO (build/photo.png)
	@mkdir -p $(dir $(PHOTO))
	$(BIN)/rpp demo photo --out $(PHOTO)

test: $(DEV_READY) ## all tests
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal $(PYTEST_ARGS)

lint: $(DEV_READY) ## formatting, ruff rules, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

bench-machine: $(RUN_READY) ## speed of the virtual card and how near kernels come to its peaks
	$(BIN)/python -m benchmarks.machine

bench-cuda: $(DEV_READY) ## CUDA kernels on the native engine against C (gcc) and, where installed, PoCL
	$(BIN)/python -m benchmarks.cuda

bench-mapping: $(DEV_READY) ## compiled kernels on the card: columns, cycles, spills; POLYBENCH=, RODINIA=, HECBENCH=<checkouts> for those of corpora
	$(BIN)/python -m benchmarks.mapping $(CORPORA)

bench-slice: $(DEV_READY) ## models on the card and on this host, against llama.cpp (LLAMA_BENCH=<llama-bench>) and onnxruntime where installed
	$(BIN)/python -m benchmarks.slice

calibrate: $(RUN_READY) ## what the published FFT timings tell about the card's figures
	$(BIN)/python -m benchmarks.calibrate

conformance: $(RUN_READY) ## compare with published kernels; VENDOR=<checkout of xdltek/llama.cpp>
	@if [ -z "$(VENDOR)" ]; then \
	  echo "make: conformance: VENDOR is not set; give a checkout of xdltek/llama.cpp: make conformance VENDOR=DIR" >&2; exit 2; fi
	@if [ ! -d "$(VENDOR)" ]; then \
	  echo "make: conformance: VENDOR=$(VENDOR) is not a directory; give a checkout of xdltek/llama.cpp" >&2; exit 2; fi
	$(BIN)/python -m conformance --vendor "$(VENDOR)"

corpora-compile: $(DEV_READY) ## public CUDA programs to kernel IR; POLYBENCH=, RODINIA=, HECBENCH=<checkouts>, one or more
	@if [ -z "$(POLYBENCH)$(RODINIA)$(HECBENCH)" ]; then \
	  echo "make: corpora-compile: give checkouts of cavazos-lab/PolyBench-ACC, yuhc/gpu-rodinia or zjin-lcf/HeCBench: make corpora-compile POLYBENCH=DIR RODINIA=DIR HECBENCH=DIR" >&2; exit 2; fi
	$(BIN)/python -m conformance.corpora $(CORPORA)

equality: $(DEV_READY) ## interpreter = native engine = machine code on random and our kernels; POLYBENCH=, RODINIA=, HECBENCH= for those of corpora
	$(BIN)/python -m conformance.equality $(CORPORA)

slice: $(DEV_READY) ## real models answer on the card as onnxruntime and other independent implementations do
	$(BIN)/python -m conformance.slice

docs: $(DEV_READY) ## write docs/isa.md and docs/demo.svg anew
	$(BIN)/python -m openrpp.isa.docs
	$(BIN)/python tools/demo_svg.py docs/demo.svg

wheel: $(DEV_READY) ## build dist/openrpp-*.whl
	$(BIN)/python -m build --wheel --outdir dist

clean: ## remove build results and the environment
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "make: '$(PYTHON)' is not found; OpenRPP needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: '$(PYTHON)' is $$($(PYTHON) --version 2>&1); OpenRPP needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "make: '$(PYTHON) -m venv' fails; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# `touch` is the last step, so an interrupted installation is done again.
# Without isolation, so that the back end is installed once and clang not twice.
$(RUN_READY): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'hatchling>=1.26' 'editables>=0.5'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[cuda,demo,llm]'
	@touch $@

$(DEV_READY): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'hatchling>=1.26' 'editables>=0.5'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[dev]'
	@touch $@ $(RUN_READY)
