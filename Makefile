# Ferrule. `make` prints this help.
.DEFAULT_GOAL := help
.PHONY: help setup demo test unit property golden golden-update integration cluster debian-13 e2e lint format types contracts crds manifests bench flags-page wheel clean
export PYTHONDONTWRITEBYTECODE := 1
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Three modules at a time: most tests wait for a daemon or a timer, and each has namespaces of its own.
SIDE_BY_SIDE := --numprocesses 3 --dist loadfile

help: ## print this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what this machine lacks (Debian packages as root, Python packages into .venv)
	@.ci/setup

demo: setup ## show the main job on this machine: manifests in, packets delivered (needs root, about a minute)
	@$(BIN)/ferrule lab demo

test: setup lint types contracts unit property golden integration ## every check and test but `bench` and `e2e` (needs root)

unit: setup ## small cases of every pure module, and the tables of cases
	@$(PYTEST) -q tests/unit tests/cases

property: setup ## laws, on random input
	@$(PYTEST) -q $(SIDE_BY_SIDE) tests/property

golden: setup debian-13 ## manifests -> frr.conf, loaded into real daemons
	@$(PYTEST) -q tests/golden

golden-update: setup debian-13 ## write the goldens anew; read the diff like code
	@$(PYTEST) -q tests/golden --golden-update

integration: setup cluster debian-13 ## real daemons in network namespaces, a real API server
	@$(PYTEST) -q $(SIDE_BY_SIDE) tests/integration

cluster: ## build etcd and Kubernetes for the tests into a cache (needs Go; minutes the first time)
	@.ci/cluster

debian-13: ## put the FRR of Debian 13 into a cache, beside this machine's (needs root; half a minute the first time)
	@.ci/debian-13

e2e: setup cluster ## scenarios on a whole cluster on this machine; a table of steps and times (needs root)
	@$(PYTEST) -q tests/e2e

lint: setup ## ruff: style and form
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: setup ## ruff: write the form
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: setup ## mypy --strict over code and tests
	@$(BIN)/mypy

contracts: setup ## the map's layers, by import-linter
	@$(BIN)/lint-imports

crds: setup ## write deploy/crds anew, from the structs
	@$(BIN)/ferrule crds --out deploy/crds

manifests: setup ## write deploy/manifests/ferrule.yaml anew, from deploy/crds and its parts
	@deploy/manifests/assemble > deploy/manifests/ferrule.yaml.new && mv deploy/manifests/ferrule.yaml.new deploy/manifests/ferrule.yaml

bench: setup ## measure the budgets; a table, and JSON in bench.json (needs root)
	@$(BIN)/python -m tests.bench --json bench.json

flags-page: setup ## write the tables of docs/flags.md anew
	@$(BIN)/python -m tests.support.flags_page

wheel: setup ## build the wheel and run the command from it, outside the checkout
	@.ci/check-wheel

clean: ## remove what the other targets made
	@rm -rf .venv dist bench.json .mypy_cache .ruff_cache .pytest_cache .hypothesis
