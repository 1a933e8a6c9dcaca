PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-gpu coverage check format benchmarks clean

# Made again when the dependencies change.
$(VENV)/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/ready
	rm -rf demo
	$(BIN)/mmrecun demo --out demo

test: $(VENV)/ready
	$(BIN)/python -m pytest

# Apart from `test`: tracing costs more than a third of its time.
coverage: $(VENV)/ready
	$(BIN)/python -m pytest --cov --cov-report=term

# Without a card the comparisons with the CPU are skipped, and say so.
test-gpu: $(VENV)/ready
	$(BIN)/python -m pytest -rs tests/gpu tests/data/test_sparse_kernel.py tests/data/test_device_triples.py \
		tests/models/test_gathering.py tests/training/test_epochs.py

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: $(VENV)/ready
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) demo
