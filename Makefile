PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-gpu test-adapters test-ray coverage fuzz check format docs benchmarks clean

# Made again when the dependencies change.
$(VENV)/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/ready
	rm -rf demo
	$(BIN)/mmrecun demo --out demo

# A process per core. Each begins with a run of neighbours, which share their fixtures; one that is done early takes
# tests from another.
TOGETHER := -n auto --maxprocesses 8 --dist worksteal

test: $(VENV)/ready
	$(BIN)/python -m pytest $(TOGETHER)

# FIRST and INPUTS name the damaged inputs; each is made again from its number.
fuzz: $(VENV)/ready
	$(BIN)/python -m benchmarks.fuzz_readers --first $(or $(FIRST),0) --inputs $(or $(INPUTS),100000) --seconds $(or $(SECONDS),600)

# Apart from `test`: tracing costs more than a third of its time.
coverage: $(VENV)/ready
	$(BIN)/python -m pytest $(TOGETHER) --cov --cov-report=term

# Without a card the comparisons with the CPU are skipped, and say so.
test-gpu: $(VENV)/ready
	$(BIN)/python -m pytest -rs tests/gpu tests/data/test_sparse_kernel.py tests/data/test_device_triples.py \
		tests/models/test_gathering.py tests/training/test_epochs.py

# Libraries of other people's models and encoders, each in an environment in which it works.
.venv-adapters/ready: pyproject.toml constraints.txt
	test -x .venv-adapters/bin/python || $(PYTHON) -m venv .venv-adapters
	.venv-adapters/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[dev,raw,onnx,huggingface]' implicit cornac
	touch $@

.venv-recbole/ready: constraints-recbole.txt
	test -x .venv-recbole/bin/python || $(PYTHON) -m venv .venv-recbole
	.venv-recbole/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-recbole.txt \
		recbole setuptools
	touch $@

test-adapters: .venv-adapters/ready .venv-recbole/ready
	MMRECUN_RECBOLE_PYTHON=$(CURDIR)/.venv-recbole/bin/python .venv-adapters/bin/python -m pytest tests/adapters \
		tests/encoders

# On two hosts in network namespaces where root may make them; else the tests say why they are skipped.
.venv-ray/ready: pyproject.toml constraints.txt
	test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,ray]' \
		'moto[server]>=5'
	touch $@

test-ray: .venv-ray/ready
	.venv-ray/bin/python -m pytest -rs tests/scale

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The site of the documents, in `site`; a link that leads nowhere fails. Nothing is fetched.
docs: $(VENV)/ready
	$(BIN)/zensical build --strict

benchmarks: $(VENV)/ready
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .venv-adapters .venv-recbole .venv-ray demo site .cache
