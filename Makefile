# Every task of the house. `make` alone lists them.
# Nothing here needs more than Rust, Python 3, Node and a C compiler; the rest comes from the package registries.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

CARGO ?= cargo
# The pack that `make demo` rehearses.
PACK ?= policies/idp-outage
# What `make fuzz` runs: one target of fuzz/fuzz_targets, or all of them; and for how many seconds each.
TARGET ?= all
TIME ?= 60

CARGO_FUZZ_VERSION := 0.13.2
FUZZ_TARGETS = $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Rehearse an outage on a shipped pack, decision by decision (PACK=policies/…)
	@$(CARGO) run --locked --quiet --package fallgate-cli -- drill $(PACK)

.PHONY: test
test: ## Build everything and run every test
	$(CARGO) test --locked --workspace --all-features
	@$(MAKE) --no-print-directory test-c
	@$(MAKE) --no-print-directory test-node

.PHONY: test-c
test-c: ## Run the C and C++ programs against an install of their own, under sanitizers and valgrind too
	@$(MAKE) --no-print-directory -C bindings/c test

# What the npm package is developed with, as its lock file says. Its own install script would build the addon.
NODE_MODULES := bindings/node/node_modules/.package-lock.json
$(NODE_MODULES): bindings/node/package-lock.json
	cd bindings/node && npm ci --ignore-scripts --no-audit --no-fund

.PHONY: test-node
test-node: $(NODE_MODULES) ## Build the npm package and run its tests
	cd bindings/node && node scripts/build.mjs
	cd bindings/node && npm run --silent check && npm test --silent
	cd bindings/node && npm run --silent test-packed

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml

.PHONY: lint
lint: ## Check formatting and run clippy, where a warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings

.PHONY: docs
docs: ## Build the reference of the crates, where a warning is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --all-features --no-deps

.PHONY: generate
generate: ## Write the files that are made from the code (docs/formats, fallgate.h, the types of the npm package)
	@mkdir -p docs/formats
	@for format in pack rules cases drill; do \
		$(CARGO) run --locked --quiet --package fallgate-cli -- schema $$format > docs/formats/$$format.schema.json.new; \
		mv docs/formats/$$format.schema.json.new docs/formats/$$format.schema.json; \
	done
	@$(MAKE) --no-print-directory -C bindings/c generate
	@$(MAKE) --no-print-directory generate-node

.PHONY: generate-node
generate-node: $(NODE_MODULES)
	cd bindings/node && npm run --silent generate

# What is generated for the npm package: its loader and its types.
NODE_GENERATED := bindings/node/native.js bindings/node/native.d.ts bindings/node/declarations

.PHONY: generate-check
generate-check: generate ## Fail if a generated file differs from the committed one
	@git diff --exit-code -- docs/formats bindings/c/include $(NODE_GENERATED) \
		|| { echo 'a generated file is out of date: commit what `make generate` wrote' >&2; exit 1; }
	@new="$$(git ls-files --others --exclude-standard -- docs/formats bindings/c/include $(NODE_GENERATED))"; \
		test -z "$$new" || { echo "generated, but not committed: $$new" >&2; exit 1; }

.PHONY: bench
bench: ## Measure the workloads on this machine
	RUST_BACKTRACE=0 $(CARGO) bench --locked --package fallgate-benches

.PHONY: bench-c
bench-c: ## Measure a decision through C beside one in Rust
	@$(MAKE) --no-print-directory -C bindings/c bench

.PHONY: bench-peers
bench-peers: ## Measure the same work in other engines (slow to build; `make bench` has Fallgate's figures)
	RUST_BACKTRACE=0 $(CARGO) bench --locked --manifest-path benches/peers/Cargo.toml

.PHONY: bench-node
bench-node: ## Measure the npm package beside its floors and its peers
	cd bindings/node/benches && npm ci --no-audit --no-fund && node run.mjs

.PHONY: fuzz
fuzz: fuzz-tool ## Fuzz (TARGET=name or all, TIME=seconds for each)
	@for target in $(if $(filter all,$(TARGET)),$(FUZZ_TARGETS),$(TARGET)); do fuzz/run "$$target" "$(TIME)"; done

.PHONY: fuzz-tool
fuzz-tool:
	@$(CARGO) fuzz --version 2>/dev/null | grep -qx 'cargo-fuzz $(CARGO_FUZZ_VERSION)' \
		|| $(CARGO) install --locked cargo-fuzz@$(CARGO_FUZZ_VERSION)
