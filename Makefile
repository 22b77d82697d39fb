# The daily commands. `make env` once.
.PHONY: env test slow check format docs paper quick calibrate

env:        ; python3 -m venv .venv && .venv/bin/pip install --quiet --editable ".[dev,docs]"
test:       ; .venv/bin/pytest -n 2
slow:       ; .venv/bin/pytest -m slow
check: test ; .venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy
format:     ; .venv/bin/ruff check --fix && .venv/bin/ruff format
docs:       ; .venv/bin/sphinx-build -W docs site
paper:      ; .venv/bin/bench-ovp suite suites/paper.yaml
quick:      ; .venv/bin/bench-ovp suite suites/quick.yaml
calibrate:  ; .venv/bin/python bench/calibration.py
