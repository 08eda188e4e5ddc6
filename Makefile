# Two commands do all the work: `make demo` and `make test`. Both create .venv themselves.
.PHONY: demo test lint bench bench-web serve venv clean
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
BENCH ?= 10
CUSTOMERS ?= 1000000

venv: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(STAMP)
	$(VENV)/bin/kequn demo

test: $(STAMP)
	bash scripts/system_packages.sh
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(STAMP)
	BENCH=$(BENCH) $(VENV)/bin/python -m bench.run
	$(VENV)/bin/python -m bench.predict

bench-web: $(STAMP)
	bash scripts/system_packages.sh wrk
	$(VENV)/bin/python -m bench.web --customers $(CUSTOMERS)

serve: $(STAMP)
	$(VENV)/bin/kequn serve -w kequn-demo

clean:
	rm -rf $(VENV) kequn-demo build dist
