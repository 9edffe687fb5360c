# The commands of this project. `make` alone lists them.
#
# Every target first asks scripts/setup for what it needs. Where all is there, that costs milliseconds and no network.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-peers test-cluster lint audit bench fuzz

# The lock file is the tree that was tested.
CARGO ?= cargo
LOCKED := --locked

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and testing need (compiler, CMake, Chromium, Python, Node)
	@scripts/setup build test

# The development profile: it is up in half the time of an optimised build, and the tests then reuse it.
demo: ## See it work: Anteroom, an offline Atlassian and a sample app, on loopback; DEMO="--upstream URL" for your own app
	@scripts/setup build
	$(CARGO) run $(LOCKED) -- demo $(DEMO)

test: ## Run every test: units, the integration tests with a real browser, and the documentation's examples
	@scripts/setup build test
	@$(CARGO) test $(LOCKED) --features otel --no-fail-fast $(TEST) \
		&& echo "make test: every test passed" \
		|| { echo "make test: FAILED. The failing tests are named above; run one again with: make test TEST=name" >&2; exit 1; }

# Optimised, since it measures memory and floods; the program runs in a process of its own.
test-peers: ## Run other people's tools against it: h2spec, sslscan, slowhttptest, floods, faults, volume (needs Go; minutes)
	@scripts/setup build test peers
	@$(CARGO) test $(LOCKED) --profile quick --features stress --test anteroom -- stress:: --nocapture --test-threads 1 \
		&& echo "make test-peers: every test passed" \
		|| { echo "make test-peers: FAILED. The failing tests are named above" >&2; exit 1; }

test-cluster: ## Install the chart into a real Kubernetes with real Helms, which Go builds first (ten minutes, once; then two)
	@scripts/setup cluster
	@tests/cluster/run $(TEST) \
		&& echo "make test-cluster: every test passed" \
		|| { echo "make test-cluster: FAILED. The failing tests are named above" >&2; exit 1; }

lint: ## Check formatting, lints, documentation, and licences and sources where cargo-deny is installed
	@scripts/setup build
	$(CARGO) fmt --check
	$(CARGO) clippy $(LOCKED) --all-targets -- -D warnings
	$(CARGO) clippy $(LOCKED) --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --features otel --no-deps
	@if command -v cargo-deny >/dev/null; then \
		$(CARGO) deny $(LOCKED) check -A duplicate bans licenses sources; \
	else \
		echo "make lint: skipped the licence check, cargo-deny is missing. To install it: cargo install --locked cargo-deny"; \
	fi
	@echo "make lint: clean"

audit: ## Check licences, sources and published advisories (needs cargo-deny and the network)
	@command -v cargo-deny >/dev/null \
		|| { echo "make audit needs cargo-deny: cargo install --locked cargo-deny" >&2; exit 1; }
	$(CARGO) deny $(LOCKED) check

bench: ## Measure CPU, latency and memory beside other proxies, 20 minutes on an idle machine (BENCH="--only peers", --write, --help)
	@scripts/setup build bench
	@benches/run $(BENCH)

fuzz: ## Fuzz each target for SECONDS (60 unless said); needs cargo-fuzz
	@scripts/setup build
	@fuzz/run "$(or $(SECONDS),60)"
