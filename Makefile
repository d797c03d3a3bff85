BIN := .venv/bin
DATA := $(or $(CLICKSTREAM_DATA),data)
LINES ?= 100000
.DEFAULT_GOAL := help
.PHONY: help setup run test check docs soak soak-kill soak-fuzz soak-bounds soak-s3 soak-redshift soak-search redshift-try bench lock clean

help: ## show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15
setup: .venv/.ready ## create .venv from the lock (Python 3.11, Java 17 or 21)
.venv/.ready: requirements.lock pyproject.toml .ci/setup
	@sh .ci/setup
run: setup ## run the whole pipeline on generated logs, LINES=100000
	@$(BIN)/clickstream sample $(DATA) --lines $(LINES) && $(BIN)/clickstream run --truth $(DATA)/truth.json
test: setup ## run all tests
	@$(BIN)/pytest -n 3
check: setup ## check format, lint, types, SQL, contract and AWS template
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/sqlfluff lint models macros tests/dbt && PYTHONPATH=tests $(BIN)/python -m redshift.lint && $(BIN)/clickstream contract check && $(BIN)/cfn-lint deploy/clickstream.yaml && $(BIN)/python deploy/render_iam.py --check
redshift-try: setup ## run the whole job on a stand-in for Redshift, which stays up; LINES=100000
	@PYTHONPATH=tests $(BIN)/python -m redshift.trial --lines $(LINES) $(DATA)/redshift-try
docs: setup ## write dbt's documentation as one page (after make run)
	@$(BIN)/clickstream docs
soak: setup ## run 5,000 random histories of rotated logs (40 minutes)
	@ROTATION_PROFILE=soak $(BIN)/pytest tests/property/test_real_rotation.py
soak-kill: setup ## kill 100 runs over all hops while logs grow and rotate (an hour and a half)
	@SOAK_KILLS=100 $(BIN)/pytest tests/soak/killed_runs.py
soak-fuzz: setup ## parse a million mutated lines of all formats every way, hostile lines, bombs, and tiny files (35 minutes)
	@$(BIN)/pytest tests/soak/fuzzed_lines.py tests/soak/hostile_lines.py
soak-bounds: setup ## parse mutated lines by kernels that check each index, and by kernels as plain Python (15 minutes)
	@NUMBA_BOUNDSCHECK=1 FUZZ_LINES=100000 $(BIN)/pytest -k same tests/soak/fuzzed_lines.py
	@NUMBA_DISABLE_JIT=1 $(BIN)/pytest tests/soak/covered_kernels.py
soak-s3: setup ## ingest a bucket with an object of 1 GB: memory flat, equal to a folder (10 minutes)
	@$(BIN)/pytest tests/soak/s3_load.py
soak-redshift: setup ## load a million rows into the stand-in: one COPY a table (5 minutes)
	@REDSHIFT_ROWS=1000000 $(BIN)/pytest -k one_copy tests/integration/test_redshift_load.py
soak-search: setup ## disturb exports at every step and at random, 100 rounds (15 minutes)
	@SOAK_ROUNDS=100 $(BIN)/pytest tests/soak/search_faults.py
bench: setup ## compare speed and memory with other tools
	@$(BIN)/python -m bench
lock: setup ## upgrade requirements.lock
	@$(BIN)/uv pip compile --quiet --system-certs --upgrade --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
clean: ## stop the local search server and the stand-in of redshift-try, delete data/ and build output
	@if [ -f "$(DATA)/redshift-try/pid" ]; then kill "$$(cat "$(DATA)/redshift-try/pid")" 2>/dev/null || true; fi
	@if [ -x $(BIN)/clickstream ]; then $(BIN)/clickstream search down --delete-data; fi; rm -rf "$(DATA)" target logs dbt_packages .pytest_cache .mypy_cache .ruff_cache
