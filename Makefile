# Thin on purpose: what needs an `if` is a command of crates/xtask. Every step says how long it took.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export TIMEFORMAT := --   took %1R s

CARGO ?= cargo
XTASK := $(CARGO) run --quiet --locked --package xtask --
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

# The binary that end-to-end tests start. Debug builds can be made to die at named places (ports::crash); releases cannot.
export HOWDAH_BIN ?= $(TARGET)/debug/howdah
# Arguments for the test binaries, such as TEST_ARGS='--nocapture kill'.
TEST_ARGS ?=

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: tools ## build, run the ETL example on a server of its own, show the result
	time $(CARGO) build --locked --package cli --bin howdah
	time $(XTASK) demo $(TARGET)/debug/howdah

.PHONY: run
run: tools ## start the server at http://localhost:11000/oozie
	$(CARGO) run --locked --package cli --bin howdah -- standalone

.PHONY: build
build: tools ## build the program for use: target/release/howdah
	time $(CARGO) build --locked --release --package cli --bin howdah

.PHONY: examples
examples: ## compile what the examples need (a jar, where there is a JDK)
	time $(XTASK) example-jar

##@ Work

.PHONY: verify
verify: tools ## every check that needs no test: it never changes a file
	time $(CARGO) fmt --all --check
	time $(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	time RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps
	time $(XTASK) tidy
	time $(XTASK) deny

.PHONY: fix
fix: tools ## let tools repair what they can
	$(CARGO) clippy --fix --allow-dirty --allow-staged --workspace --all-targets
	$(CARGO) fmt --all
	$(XTASK) errors-index

.PHONY: test
test: setup ## install what tests need, run all tests
	time $(CARGO) build --locked --workspace --bins
	time $(CARGO) test --locked --workspace -- $(TEST_ARGS)

.PHONY: test-long
test-long: setup ## the same tests with many more rounds; takes hours
	time $(CARGO) build --locked --workspace --bins
	time env HOWDAH_LONG=1 $(CARGO) test --locked --workspace -- $(TEST_ARGS)

.PHONY: setup
setup: ## install what build and tests need (Debian, as root)
	time $(XTASK) setup

.PHONY: tools
tools: ## install what the build needs beside Rust (Debian, as root)
	@$(XTASK) setup-build

.PHONY: errors
errors: ## list every error code, where it is used, and whether it has a page
	@$(XTASK) errors

.PHONY: clean
clean: ## remove everything that was built
	$(CARGO) clean
