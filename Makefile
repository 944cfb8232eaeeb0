# Every target sets up what it needs: a virtual environment in .venv, from the pinned constraints file.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
OUT ?= runs/digits-pynq/hls
# test files at once; a worker takes up to 1 GB
JOBS ?= 2

.PHONY: help install quickstart test quick check calibration-data clean

help:
	@echo "make install     virtual environment with dse and its development tools"
	@echo "make quickstart  install, run studies/quickstart.yaml, emit and verify the recommended design"
	@echo "make test        install, lint, types, import contracts, all tests"
	@echo "make quick       the tests that are not marked slow"
	@echo "make check       lint, types, import contracts"
	@echo "make calibration-data  synthesise the units that yosys-rtl is fitted to (those the table lacks), fit it anew"
	@echo "make clean       remove the virtual environment and all runs"

install: $(INSTALLED)

# torch first, so that it is pinned before brevitas asks for any; which build comes, CPU or CUDA, is the index's choice
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

quickstart: install
	$(BIN)/dse run studies/quickstart.yaml
	$(BIN)/dse emit digits-pynq --pick knee -o $(OUT) --force
	$(BIN)/dse verify $(OUT)
	@echo
	@$(BIN)/dse inspect digits-pynq --pick knee
	@echo
	@echo "report       runs/digits-pynq/report.html"
	@echo "HLS project  $(OUT)"

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

quick: install
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile -m "not slow"

# about an hour of one core; ONLY=5 makes five records
calibration-data: install
	$(BIN)/python -m dse.emit.unit_sweep $(if $(ONLY),--only $(ONLY))
	$(BIN)/python -m cost_models._fit_yosys

clean:
	rm -rf .venv runs
