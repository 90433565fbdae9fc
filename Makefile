# Every task of the house. `make` alone lists them.
# Nothing here needs more than Rust, Python 3, Node and a C compiler; the rest comes from the package registries.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

CARGO ?= cargo
PYTHON ?= python3
# Where the Python wheel is installed to be tested.
PYTHON_ENV := target/python/env
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
test: ## Build everything and run every test, in all languages
	@rm -rf $(CORPUS_LINES) && mkdir -p $(CORPUS_LINES)
	FALLGATE_CORPUS_SUMMARY=$(CORPUS_LINES)/rust $(CARGO) test --locked --workspace --all-features
	@$(MAKE) --no-print-directory test-c
	@cp target/c/corpus.line $(CORPUS_LINES)/c
	@FALLGATE_CORPUS_SUMMARY=$(CORPUS_LINES)/python $(MAKE) --no-print-directory test-python
	@FALLGATE_CORPUS_SUMMARY=$(CORPUS_LINES)/node $(MAKE) --no-print-directory test-node
	@$(MAKE) --no-print-directory same-answers

# What each language says of the corpus: how many calls, of which corpus, and the digest of all decisions.
CORPUS_LINES := $(CURDIR)/target/corpus
LANGUAGES := rust c python node

.PHONY: same-answers
same-answers:
	@cd $(CORPUS_LINES) && for language in $(LANGUAGES); do printf '%-7s' $$language && cat $$language; done
	@cd $(CORPUS_LINES) && test "$$(cat $(LANGUAGES) | sort -u | wc -l)" -eq 1 \
		|| { echo 'the languages do not decide alike: see the lines above' >&2; exit 1; }

.PHONY: test-c
test-c: ## Run the C and C++ programs against an install of their own, under sanitizers and valgrind too
	@$(MAKE) --no-print-directory -C bindings/c test

.PHONY: test-python
test-python: $(PYTHON_ENV)/ready ## Build the Python wheel as a user does, and test it installed
	@rm -rf target/python/wheels
	$(PYTHON_ENV)/bin/pip wheel --quiet --no-deps --wheel-dir target/python/wheels ./bindings/python
	@$(PYTHON_ENV)/bin/pip install --quiet --no-index --no-deps --force-reinstall target/python/wheels/*.whl
	@cd bindings/python && FALLGATE_WHEEL="$$(ls $(CURDIR)/target/python/wheels/*.whl)" $(CURDIR)/$(PYTHON_ENV)/bin/python -m pytest -q

$(PYTHON_ENV)/ready: bindings/python/tests/requirements.txt
	@rm -rf $(PYTHON_ENV)
	@$(PYTHON) -m venv $(PYTHON_ENV)
	@$(PYTHON_ENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

# What the npm package is developed with, as its lock file says; not by `npm ci`, which demands every optional package of
# every platform, also those that a registry does not have. Its own install script would build the addon.
NODE_MODULES := bindings/node/node_modules/.package-lock.json
$(NODE_MODULES): bindings/node/package-lock.json
	cd bindings/node && npm install --no-save --ignore-scripts --no-audit --no-fund
	@touch $@

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
	$(CARGO) fmt --manifest-path bindings/python/benches/floor/Cargo.toml

.PHONY: lint
lint: ## Check formatting and run clippy, where a warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml --check
	$(CARGO) fmt --manifest-path bindings/python/benches/floor/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings

.PHONY: docs
docs: ## Build the reference of the crates, where a warning is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --all-features --no-deps

.PHONY: generate
generate: ## Write the files that are made from the code (docs/formats, fallgate.h, the types of the npm package)
	@mkdir -p docs/formats
	@for format in pack rules cases drill operation envelope trust; do \
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

.PHONY: bench-budget
bench-budget: ## Count the instructions of a decision on each path, and compare them with benches/budget.txt
	benches/budget

.PHONY: bench-c
bench-c: ## Measure a decision through C beside one in Rust
	@$(MAKE) --no-print-directory -C bindings/c bench

.PHONY: bench-peers
bench-peers: ## Measure the same work in other engines (slow to build; `make bench` has Fallgate's figures)
	RUST_BACKTRACE=0 $(CARGO) bench --locked --manifest-path benches/peers/Cargo.toml

.PHONY: bench-python
bench-python: ## Measure the Python face beside its floors, cedarpy and casbin
	@test -d target/python/bench || $(PYTHON) -m venv target/python/bench
	target/python/bench/bin/pip install --quiet --requirement bindings/python/benches/requirements.txt
	target/python/bench/bin/pip install --quiet --force-reinstall --no-deps ./bindings/python ./bindings/python/benches/floor
	RUST_BACKTRACE=0 target/python/bench/bin/python bindings/python/benches/run.py

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
