# What can be done here: make help

SHELL := /bin/bash
.NOTPARALLEL:

# Walls between the rooms: a target can import only what Package.swift says it depends on.
walls := --explicit-target-dependency-import-check error
release := swift build -c release --static-swift-stdlib $(walls)
swift_files := Sources Tests Benchmarks/Sources Fuzzing/Sources Package.swift Benchmarks/Package.swift Fuzzing/Package.swift

# The demo's picture; a portrait that Debian ships, if not given
IMAGE ?=
# The training's folder of labelled pictures
DATA ?=
# How long make fuzz takes for each of its targets
SECONDS ?= 60
# What make data-report writes: it holds copies of the pictures, so it stays where git does not look
REPORT ?= .cache/data-report.html

.PHONY: help demo test build bench fuzz data-report models engine packages format lint deploy-check deploy-test clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: build engine ## build, start a cluster, classify IMAGE=path with it, stop it
	@scripts/demo "$(IMAGE)"

test: packages engine ## build with walls checked, run all tests
	@scripts/python-environment .venv-test Tests/requirements.txt
	swift build --build-tests $(walls)
	swift test --skip-build --disable-xctest
	.venv-test/bin/python -m pytest -q Models/training/tests --ignore Models/training/tests/with_torch

build: packages ## build the release executables into .build/release
	$(release)

bench: build engine ## run the benchmarks
	cd Benchmarks && swift run -c release bifrons-benchmarks

fuzz: packages ## feed every decoder of bytes from outside with SECONDS=60 of inputs that look for new paths
	@scripts/fuzz $(SECONDS)

data-report: packages ## show what the pictures of DATA=folder give away, as the page REPORT=file
	@[[ -n "$(DATA)" ]] || { echo "name the folder of pictures: make data-report DATA=folder" >&2; exit 2; }
	@scripts/python-environment .venv-training Models/training/requirements.txt
	.venv-training/bin/python Models/training/data_report.py --data "$(DATA)" --out "$(REPORT)" \
		--findings Models/training/data_findings.json

models: packages ## train and export the locator and the models from DATA=folder (two and a half hours)
	@[[ -n "$(DATA)" ]] || { echo "name the folder of pictures: make models DATA=folder" >&2; exit 2; }
	scripts/python-environment .venv-training Models/training/requirements.txt
	.venv-training/bin/python -m pytest -q Models/training/tests
	.venv-training/bin/python Models/training/make_locator.py --data "$(DATA)"
	.venv-training/bin/python Models/training/make_models.py --data "$(DATA)"

engine: packages ## fetch the inference engine into vendor/openvino
	@scripts/engine

packages: ## install the Debian packages that are missing
	@scripts/packages

format: ## write the sources' format
	swift format --in-place --recursive $(swift_files)

lint: ## check format, scripts, documentation and model files
	@scripts/packages shellcheck
	swift format lint --strict --recursive $(swift_files)
	@scripts/check

deploy-check: packages ## check the files of Deploy
	@scripts/deploy-check

deploy-test: ## run Deploy/compose.yaml for real, with the Docker engine of this machine (minutes)
	@scripts/deploy-test

clean: ## remove what was built; fetched packages stay
	rm -rf .build .build-fuzz Benchmarks/.build
