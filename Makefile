# Every target sets up .venv by itself when it is missing or when the pins changed.
PYTHON ?= python3
AS_OF ?= latest
DATA ?= sample
OUT ?= outputs
LANGUAGE ?= en
NOTEBOOK ?=
CODE ?= 1
ONLY ?=
BIN := .venv/bin

.PHONY: report appendix data test lab bench study gallery lock

report: .venv/ready
	$(BIN)/python -m lib.weekly --as-of "$(AS_OF)" --data "$(DATA)" --out "$(OUT)" --language "$(LANGUAGE)"

# make appendix NOTEBOOK=03 CODE=0 exports one notebook as HTML and PDF: that of the newest run, or as run in JupyterLab
appendix: .venv/ready
	$(BIN)/python -m lib.weekly.appendix "$(NOTEBOOK)" --code "$(CODE)" --out "$(OUT)"

# make data fills the store that make report DATA=store reads; CHECK=1 only tests which providers answer
data: .venv/live
	$(BIN)/python -m lib.market.providers --until "$(AS_OF)" $(if $(CHECK),--check) $(if $(ACCEPT_REVISIONS),--accept-revisions)

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lab: .venv/ready
	$(BIN)/jupyter lab --notebook-dir=notebooks

# make bench ONLY="store gp" measures parts
bench: .venv/dev
	$(BIN)/python -m benchmarks $(ONLY)

.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14)) and "Python 3.11 to 3.13 is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch .venv/ready

# clients of the live providers: only make data and the tests need them
.venv/live: .venv/ready requirements-live.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-live.txt
	touch .venv/live

# what tests, style checks and benchmarks need
.venv/dev: .venv/live requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch .venv/dev

# minutes: seeds and nulls of the sector rotation, on the sample or on DATA=<folder>
study: .venv/ready
	$(BIN)/python benchmarks/study_gp.py $(if $(filter sample,$(DATA)),,"$(DATA)")

# for maintainers: the pictures of the README, of the synthetic sample in both languages
gallery: .venv/ready
	$(BIN)/python -m lib.weekly.gallery

# for maintainers: pins every transitive package for all supported Pythons (needs uv)
lock:
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet requirements.in -o requirements.txt
	echo '-e .' >> requirements.txt
	grep -v '^-e' requirements.txt > .venv/pins.txt
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet -c .venv/pins.txt requirements-live.in -o requirements-live.txt
	grep -hv '^-e' requirements.txt requirements-live.txt | sort -u > .venv/pins.txt
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet -c .venv/pins.txt requirements-dev.in -o requirements-dev.txt
