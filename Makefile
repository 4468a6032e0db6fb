# The tasks of this repository: make help

SHELL := /bin/bash
.NOTPARALLEL:

# Layering: a target can import only the dependencies that Package.swift declares.
layering := --explicit-target-dependency-import-check error
release := swift build -c release --static-swift-stdlib $(layering)
# Python with the training package and its dependencies.
training := PYTHONPATH=Models/training .venv-training/bin/python
benchmarks := BIFRONS_BENCHMARKS=1 $(release) --product bifrons-benchmarks
swift_files := Sources Tests Benchmarks/bifrons-benchmarks Fuzzing Package.swift
# The nearest pyproject.toml has the settings for checking each.
python_files := Tests Benchmarks Models/training Clients/python

# The demo's image; default: a portrait from a Debian package
IMAGE ?=
# The folder of labelled images for training
DATA ?=
# The seconds of make chaos, of each target of make fuzz, and of each load of make bench-peers (there 5 by default)
SECONDS ?= 60
# The number of times that make bench-peers measures each system
ROUNDS ?= 5
# The seed of make chaos, which decides on the faults
SEED ?= 1
# The minutes of make soak, and its output folder
MINUTES ?= 30
SOAK ?= .cache/soak
# The output of make data-report. It contains copies of the images, so it is written where git ignores it
REPORT ?= .cache/data-report.html

.PHONY: help demo docs test build-tests test-tsan test-asan test-browser test-client test-docs screenshots sample build bench scaling fuzz chaos tails
.PHONY: slow-images soak data-report models engine packages format lint deploy-check deploy-test clean bench-peers

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: build engine ## build, start a cluster, classify IMAGE=path with it, stop it
	@scripts/demo "$(IMAGE)"

test: build-tests ## build with layering checked, run all tests
	@scripts/test

build-tests: packages engine ## build what the tests need, with layering checked
	@scripts/packages libimage-exiftool-perl
	@scripts/python-environment .venv-test Tests/requirements.txt
	swift build --build-tests $(layering)

docs: packages ## build the documentation of the Swift libraries into .build/documentation; a broken link is an error
	swift build --target BifronsClient $(layering)
	@scripts/docs

test-tsan: packages engine ## run the Swift tests under the thread sanitizer
	@scripts/sanitize thread

test-asan: packages engine ## run the Swift tests under the address sanitizer, and look for leaks
	@scripts/sanitize address

test-browser: build engine ## test the gateway's pages in a real browser
	@scripts/packages chromium chromium-driver
	@scripts/python-environment .venv-browser Tests/Browser/requirements.txt
	.venv-browser/bin/python -m pytest -q Tests/Browser

test-client: build engine ## build the Python client's wheel and test it: types, a real service, recipes
	@scripts/python-environment .venv-client Clients/python/requirements.txt
	.venv-client/bin/python -m pip install --quiet --no-deps --no-build-isolation --force-reinstall ./Clients/python
	cd Clients/python && ../../.venv-client/bin/python -m mypy --no-error-summary
	cd Clients/python && ../../.venv-client/bin/python -m pytest -q tests README.md --pyargs bifrons

test-docs: build engine ## run the commands of the README and docs as printed, with the release build
	@scripts/packages iproute2 openssl
	@scripts/python-environment .venv-test Tests/requirements.txt
	.venv-test/bin/python Tests/Documentation/commands.py

screenshots: build engine ## take the screenshots of the pages for the documentation
	@scripts/screenshots

sample: ## draw the sample image that the page offers
	@scripts/python-environment .venv-browser Tests/Browser/requirements.txt
	.venv-browser/bin/python Tests/Browser/sample.py Sources/Gateway/Resources/sample.jpg

build: packages ## build the release executables into .build/release
	$(release)

bench: build engine ## run the benchmarks
	$(benchmarks)
	.build/release/bifrons-benchmarks

bench-peers: SECONDS = 5
bench-peers: build engine ## compare mosec, LitServe and Flask with Bifrons, ROUNDS=5 times SECONDS=5 per load
	@scripts/packages wrk
	@scripts/python-environment .venv-peers Benchmarks/peers/requirements.txt
	.venv-peers/bin/python Benchmarks/peers/compare.py --rounds $(ROUNDS) --seconds $(SECONDS)

scaling: packages ## simulate up to 1,000 workers of each model and 16 routers; writes .cache/scaling.csv and the chart
	@scripts/python-environment .venv-test Tests/requirements.txt
	@mkdir -p .cache
	$(benchmarks)
	.build/release/bifrons-benchmarks scaling --csv .cache/scaling.csv
	.venv-test/bin/python Benchmarks/scaling.py .cache/scaling.csv docs/images/scaling.png

fuzz: packages ## fuzz every decoder of untrusted bytes for SECONDS=60 each
	@scripts/fuzz $(SECONDS)

chaos: build engine ## cause faults in a cluster for SECONDS=60, chosen by SEED=1, and check every guarantee
	@scripts/packages iproute2 nftables
	@scripts/python-environment .venv-test Tests/requirements.txt
	.venv-test/bin/python Tests/Chaos/chaos.py --seconds $(SECONDS) --seed $(SEED)

tails: build engine ## measure the latencies of clients while a worker dies, hangs or has too much work
	@scripts/python-environment .venv-test Tests/requirements.txt
	.venv-test/bin/python Tests/Chaos/tails.py

slow-images: build engine ## measure how slow images delay small ones
	@scripts/packages libjpeg-turbo-progs
	@scripts/python-environment .venv-test Tests/requirements.txt
	.venv-test/bin/python Tests/Chaos/slow_images.py

soak: build engine ## load a cluster for MINUTES=30 and check whether any process grows; writes SOAK=folder
	@scripts/python-environment .venv-test Tests/requirements.txt
	.venv-test/bin/python Tests/Chaos/soak.py --minutes $(MINUTES) --out $(SOAK)

data-report: packages ## report what the images of DATA=folder reveal, as the page REPORT=file
	@[[ -n "$(DATA)" ]] || { echo "name the folder of images: make data-report DATA=folder" >&2; exit 2; }
	@scripts/python-environment .venv-training Models/training/requirements.txt
	$(training) -m bifrons_training.data_report --data "$(DATA)" --out "$(REPORT)" \
		--findings Models/training/data_findings.json

models: packages ## train and export the locator and the models from DATA=folder (two and a half hours)
	@[[ -n "$(DATA)" ]] || { echo "name the folder of images: make models DATA=folder" >&2; exit 2; }
	scripts/python-environment .venv-training Models/training/requirements.txt
	.venv-training/bin/python -m pytest -q Models/training/tests
	$(training) -m bifrons_training.make_locator --data "$(DATA)"
	$(training) -m bifrons_training.make_models --data "$(DATA)"

engine: packages ## fetch the inference engine into vendor/openvino
	@scripts/engine

packages: ## install the Debian packages that are missing
	@scripts/packages

format: ## format the sources
	swift format --in-place --recursive $(swift_files)

lint: ## check format, types, scripts, documentation and model files
	@scripts/packages shellcheck
	@scripts/python-environment .venv-test Tests/requirements.txt
	swift format lint --strict --recursive $(swift_files)
	.venv-test/bin/python -m ruff check --quiet $(python_files)
	.venv-test/bin/python -m ruff format --check --quiet $(python_files)
	.venv-test/bin/python -m mypy --no-error-summary
	cd Models/training && ../../.venv-test/bin/python -m mypy --no-error-summary
	@scripts/check

deploy-check: packages ## check the files of Deploy
	@scripts/deploy-check

deploy-test: ## run the deployment files for real: Compose, systemd, Swarm, Kubernetes (half an hour, as root)
	@scripts/deploy-test-images
	@scripts/deploy-test-compose
	@scripts/deploy-test-systemd
	@scripts/deploy-test-swarm
	@scripts/deploy-test-kubernetes

clean: ## remove build outputs; fetched packages stay
	rm -rf .build .build-fuzz .build-minimal .build-tsan .build-asan
