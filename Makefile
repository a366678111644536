# Every target sets up .venv by itself when it is missing or when the pins changed.
PYTHON ?= python3
AS_OF ?= latest
DATA ?= sample
OUT ?= outputs
LANGUAGE ?= en
NOTEBOOK ?=
CODE ?= 1
ONLY ?=
FROM ?=
TO ?=
SCHEDULER ?=
SEND_STORE ?=
BIN := .venv/bin
PIN := uv pip compile --universal --python-version 3.11 --no-header --no-annotate --quiet

.PHONY: report backfill appendix data test lab bench study gallery lock

report: .venv/ready
	$(BIN)/python -m lib.weekly --as-of "$(AS_OF)" --data "$(DATA)" --out "$(OUT)" --language "$(LANGUAGE)"

# make backfill FROM=2024-06-14 TO=2025-06-13 makes the report of every week in the span, on the local cores or, with
# SCHEDULER=tcp://..., on a Dask cluster; SEND_STORE=1 for workers that do not share the folder of the store
backfill: .venv/ready $(if $(SCHEDULER),.venv/cluster)
	$(BIN)/python -m lib.weekly.backfill --from "$(FROM)" --to "$(TO)" --data "$(DATA)" --out "$(OUT)" --language "$(LANGUAGE)" $(if $(SCHEDULER),--scheduler "$(SCHEDULER)") $(if $(SEND_STORE),--send-store)

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

lab: .venv/lab
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

# JupyterLab: only make lab needs it
.venv/lab: .venv/ready requirements-lab.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-lab.txt
	touch .venv/lab

# Dask, for backfills on a cluster: only they and the tests need it
.venv/cluster: .venv/ready requirements-cluster.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cluster.txt
	touch .venv/cluster

# what tests, style checks and benchmarks need
.venv/dev: .venv/live .venv/cluster requirements-dev.txt
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
	$(PIN) requirements.in -o requirements.txt
	echo '-e .' >> requirements.txt
	grep -v '^-e' requirements.txt > .venv/pins.txt
	$(PIN) -c .venv/pins.txt requirements-lab.in -o requirements-lab.txt
	$(PIN) -c .venv/pins.txt requirements-cluster.in -o requirements-cluster.txt
	$(PIN) -c .venv/pins.txt requirements-live.in -o requirements-live.txt
	grep -hv '^-e' requirements.txt requirements-cluster.txt requirements-live.txt | sort -u > .venv/pins.txt
	$(PIN) -c .venv/pins.txt requirements-dev.in -o requirements-dev.txt
