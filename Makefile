.PHONY: check test format

check:
	ruff check
	ruff format --check
	mypy

test:
	python -m pytest

format:
	ruff check --fix
	ruff format
