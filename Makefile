# SPDX-License-Identifier: Apache-2.0
# Two commands are enough on a fresh Debian or Ubuntu: `make demo` and `make test`. The rest is for those
# who work on kenning. Each target says what it runs; nothing is installed but by scripts/setup.
.DEFAULT_GOAL := help
.PHONY: help setup tools toolchains build demo test aarch64 aarch64-test fuzz-check asan tsan tsan-check fuzz bench \
        coverage format format-check lint tidy clean

KENNING := build/release/bin/kenning
DEMO := build/demo
FUZZ_SECONDS ?= 60
# Tests of what runs on several threads.
THREADED := wire wire_transports transport measure app blocks_protocols interop
# Whose packages are fetched: names of engines, or all. What was fetched once is built in any case.
ENGINES ?= onnxruntime
empty :=
FETCH = -DKENNING_FETCH_ENGINES="$(subst $(empty) $(empty),;,$(ENGINES))"
# Sanitizer output must not depend on the machine's symboliser settings.
export UBSAN_OPTIONS ?= print_stacktrace=1:halt_on_error=1

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## Install what the build needs, where it is missing (scripts/setup)
	scripts/setup $(SETUP) --engines "$(ENGINES)"

tools: ## The same, with clang, clang-format, clang-tidy and shellcheck
	scripts/setup --with-tools --engines "$(ENGINES)"

toolchains: build ## Every framework that optimizers work with, each in an environment of its own
	$(KENNING) toolchain install all

build: setup ## Release build: build/release/bin/kenning
	cmake --preset release $(FETCH)
	cmake --build --preset release

demo: build ## From two scenarios to a report: fp32 against int8 on 10,000 images
	mkdir -p $(DEMO)
	$(KENNING) test --cfg resources/scenarios/fashion_mnist_fp32.json --measurements $(DEMO)/fp32.json
	$(KENNING) optimize test --cfg resources/scenarios/fashion_mnist_int8.json --measurements $(DEMO)/int8.json
	$(KENNING) report --measurements $(DEMO)/fp32.json $(DEMO)/int8.json --report-path $(DEMO)/report.md
	@echo "The report: $(CURDIR)/$(DEMO)/report.md"

test: ENGINES = all
test: SETUP = --with-cross
test: setup ## Build every engine with warnings as errors, and run every test
	cmake --preset ci $(FETCH)
	cmake --build --preset ci
	ctest --preset ci

aarch64: SETUP = --with-cross
aarch64: setup ## The agent and three engines for 64-bit ARM: build/aarch64/bin/kenning-agent
	cmake --preset aarch64
	cmake --build --preset aarch64

aarch64-test: aarch64 ## Its unit tests under qemu, and the emulated agent serving this machine
	cmake --preset ci -DKENNING_FETCH_ENGINES=
	cmake --build --preset ci
	ctest --preset ci -L aarch64

asan: setup ## Unit tests under the address and undefined-behaviour sanitizers
	cmake --preset asan-ubsan $(FETCH)
	cmake --build --preset asan-ubsan
	ctest --preset asan-ubsan

tsan-check: setup ## What runs on several threads, and the agent, under the thread sanitizer
	cmake --preset tsan $(FETCH)
	cmake --build --preset tsan --target $(THREADED:=_test) kenning-agent kenning_engine_null
	ctest --test-dir build/tsan --output-on-failure -j2 -R '^($(subst $(empty) $(empty),|,$(strip $(THREADED))))_'

tsan: setup ## Unit tests under the thread sanitizer
	cmake --preset tsan $(FETCH)
	cmake --build --preset tsan
	ctest --preset tsan

fuzz-check: tools ## Each fuzz target for 20 seconds
	cmake --preset fuzz
	cmake --build --preset fuzz --target fuzz_targets
	ctest --preset fuzz

fuzz: tools ## Each fuzz target for FUZZ_SECONDS; new inputs are kept in build/fuzz/corpus
	cmake --preset fuzz
	cmake --build --preset fuzz --target fuzz_targets
	scripts/fuzz $(FUZZ_SECONDS)

bench: setup ## The figures of docs/benchmarks.md that need no other software
	cmake --preset release -DKENNING_BENCHMARKS=ON
	cmake --build --preset release
	build/release/bin/bench_process -q -- $(KENNING) --help
	build/release/bin/bench_overhead resources/scenarios/fashion_mnist_fp32.json

coverage: tools ## Line coverage of all tests: build/coverage/coverage.html
	cmake --preset coverage $(FETCH)
	cmake --build --preset coverage
	ctest --preset coverage
	gcovr --root . --exclude '.*_test\.cc' --filter '(src|blocks|engines|include)/' \
	  --print-summary --html build/coverage/coverage.html build/coverage

format: ## Format all C++ sources
	git ls-files '*.cc' '*.h' | xargs clang-format-14 -i

format-check: ## Fail where a source is not formatted
	git ls-files '*.cc' '*.h' | xargs clang-format-14 --dry-run --Werror

lint: ## What the lint tests check, without a build
	python3 tests/lint/check_tree.py .

tidy: tools ## clang-tidy over all sources (slow)
	cmake --preset tidy
	cmake --build --preset tidy --target kenning_onnx_proto
	scripts/tidy

clean: ## Remove the build folder
	rm -rf build
