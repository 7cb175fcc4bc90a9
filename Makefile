# Everything on a fresh machine with Python 3.11: `make eval` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PAGES := README.md $(shell find docs -name '*.md')

.PHONY: eval test test-slow acceptance lower-bounds docs site records tables pictures example lint browser clean

eval: $(VENV)/installed
	$(BIN)/facebench eval --model sparse_074 --protocol lfw

# Two processes of one thread each: quicker than one after the other, and torch's own threads would
# only wait for each other. PYTEST_ARGUMENTS="-n 0 tests/gate" runs some, in one process.
test: $(VENV)/installed lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGUMENTS)

# What is timed runs alone, with the threads of the machine.
test-slow: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 --dist worksteal --ignore tests/benchmarks
	$(BIN)/python -m pytest -m slow tests/benchmarks

# Longer than a slow test: ratios of times, on a quiet machine; a cluster that is killed ten times;
# and doctor's table, with the faces and the teacher beside the checkout.
acceptance: $(VENV)/installed
	FACEBENCH_ACCEPTANCE=1 $(BIN)/python -m pytest -m slow tests/benchmarks tests/cli/test_cluster.py
	$(BIN)/python -m tests.acceptance.doctor docs/tables/doctor.csv ../shared/data

# The documentation as a site in build/site; nothing is loaded while it is built or read.
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The leaderboard of the zoo: facebench's own records as static pages.
site: $(VENV)/installed
	$(BIN)/facebench site reports/results -o build/site-zoo --title "facebench: the zoo"

# For the tests that open the HTML pages; without it they are skipped, and say so.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 || \
	  echo "Chromium cannot be installed here: the browser tests will be skipped"

# Compute the statistics of the committed records again from their scores; then `make tables`.
records: $(VENV)/installed
	$(BIN)/python -m facebench.evaluation.refresh reports/results tests/helpers/damaged

# Write tables, figures and transcripts of README and docs again, from the committed records.
tables: $(VENV)/installed
	$(BIN)/python -m facebench.reports.documents $(PAGES)
	$(BIN)/python docs/make/transcripts.py $(PAGES)

# Make the pictures of README and docs again; that of a report needs Chromium (`make browser`).
pictures: $(VENV)/installed
	$(BIN)/python docs/make/pictures.py

# Run the commands of docs/pruning-in-ci.md again, and write what they print into it.
example: $(VENV)/installed
	$(BIN)/python docs/pruning-in-ci/renew.py

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
