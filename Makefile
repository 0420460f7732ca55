# Each target makes the virtual environment it needs: Python, git and make are enough to start with.
PYTHON ?= python3
PYTEST_ARGS ?= -n2

.PHONY: help demo test lint format benchmark clean

help:
	@echo "make demo    the guided tour: python -m pyrqlite demo"
	@echo "make test    every plain test; with a real rqlited (PATH or RQLITED_PATH) the integration tests too;"
	@echo "             then the part of Django's own suite that is about databases"
	@echo "make lint    ruff and mypy"
	@echo "make format  let ruff rewrite the sources"
	@echo "make benchmark  the driver against other clients (quickly: BENCHMARK_ARGS=--rounds=3)"
	@echo "make clean   remove the virtual environments and caches"

# A failed installation leaves no stamp, so the next call begins anew.
.venv-%/installed: setup.cfg pyproject.toml
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS_$*)]'
	touch $@

EXTRAS_demo = embedded,fast
EXTRAS_test = test
EXTRAS_lint = dev
EXTRAS_benchmark = embedded

demo: .venv-demo/installed
	.venv-demo/bin/python -m pyrqlite demo

test: .venv-test/installed
	.venv-test/bin/python -m pytest -n2 -q tests/sqlalchemy_suite
	.venv-test/bin/python -m tests.django.suite --parallel 2
	.venv-test/bin/python -m pytest $(PYTEST_ARGS)

lint: .venv-lint/installed
	.venv-lint/bin/ruff check .
	.venv-lint/bin/ruff format --check .
	.venv-lint/bin/mypy

format: .venv-lint/installed
	.venv-lint/bin/ruff check --fix .
	.venv-lint/bin/ruff format .

benchmark: .venv-benchmark/installed
	.venv-benchmark/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	.venv-benchmark/bin/python -m benchmarks $(BENCHMARK_ARGS)

clean:
	rm -rf .venv-demo .venv-test .venv-lint .venv-benchmark benchmarks/.cache .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist tests/sqlalchemy_suite/.cache
