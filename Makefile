# Two commands matter: `make demo` runs the main job, `make test` passes the tests. Both set themselves up in .venv.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check format wheel clean

demo: $(VENV)/base
	@$(VENV)/bin/qwen-router demo

test: $(VENV)/dev
	$(VENV)/bin/python -m pytest

check: $(VENV)/dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python docs/reference.py --check

format: $(VENV)/dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/python docs/reference.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable ".[llamacpp]"
	@touch $@

# torch first and alone: other ways to ask for it can pull gigabytes of CUDA packages.
$(VENV)/dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) "torch==2.13.0"
	$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/base

# What a user installs: the wheel, alone, in a bare environment, away from the checkout.
wheel: $(VENV)/dev
	rm -rf dist $(VENV)-bare
	$(VENV)/bin/python -m build --wheel --outdir dist
	$(PYTHON) -m venv $(VENV)-bare
	$(VENV)-bare/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt dist/*.whl
	cd / && $(abspath $(VENV))-bare/bin/qwen-router route "What is 12 * 13?"
	rm -rf $(VENV)-bare

clean:
	rm -rf $(VENV) $(VENV)-bare build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
