# Every target sets up .venv by itself when it is missing or when the pins changed.
PYTHON ?= python3
AS_OF ?= latest
DATA ?= sample
OUT ?= outputs
LANGUAGE ?= en
ONLY ?=
BIN := .venv/bin

.PHONY: report test lab bench study lock

report: .venv/ready
	$(BIN)/python -m lib.weekly --as-of "$(AS_OF)" --data "$(DATA)" --out "$(OUT)" --language "$(LANGUAGE)"

test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile

lab: .venv/ready
	$(BIN)/jupyter lab --notebook-dir=notebooks

# make bench ONLY="store gp" measures parts
bench: .venv/ready
	$(BIN)/python -m benchmarks $(ONLY)

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14)) and "Python 3.11 to 3.13 is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch .venv/ready

# minutes: seeds and nulls of the sector rotation, on the sample or on DATA=<folder>
study: .venv/ready
	$(BIN)/python benchmarks/study_gp.py $(if $(filter sample,$(DATA)),,"$(DATA)")

# for maintainers: pins every transitive package for all supported Pythons (needs uv)
lock:
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet requirements.in -o requirements.txt
