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
# What memory is watched with: `make fuzz TARGET=c_abi SANITIZER=address`.
SANITIZER ?=
# A clone of RustSec's advisories that `make deny` reads.
ADVISORIES ?=
# How many orders of each kind `make test-schedules` tries of a scenario.
ORDERS ?= 300
# How many steps `make test-nightly` takes of the fixed days, and as many of new ones.
STEPS ?= 500000

CARGO_CYCLONEDX_VERSION := 0.5.9
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
CARGO_MUTANTS_VERSION := 27.1.0
CARGO_LLVM_COV_VERSION := 0.9.1
MDBOOK_VERSION := 0.5.4
# What a tool of ours needs of speed it has unoptimised too, and a new machine builds it twice as fast.
INSTALL := CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 $(CARGO) install --locked --debug
# Every feature that is no default, but for those that leave out what makes decisions fast (`make test-modes`).
FEATURES := fallgate/schema,fallgate-node/floors
export FEATURES
# The whole workspace with what its tests need, also where one program is wanted: cargo chooses the features of what we
# depend on for all that it is asked for at once, and builds anew whatever has others. So what the tests need is built once.
BUILD := $(CARGO) build --locked --workspace --features $(FEATURES)
# The command, as `make command` builds it.
COMMAND := $(abspath $(or $(CARGO_TARGET_DIR),target))/debug/fallgate

FUZZ_TARGETS = $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Rehearse an outage on a shipped pack, decision by decision (PACK=policies/…)
	@$(CARGO) run --locked --quiet --package fallgate-cli -- drill $(PACK)

.PHONY: command
command:
	@$(BUILD) --quiet --bins --examples

.PHONY: test
test: ## Build everything and run every test, in all languages
	@rm -rf $(CORPUS_LINES) && mkdir -p $(CORPUS_LINES)
	FALLGATE_CORPUS_SUMMARY=$(CORPUS_LINES)/rust $(CARGO) test --locked --workspace --features $(FEATURES)
	@$(MAKE) --no-print-directory test-c
	@cp target/c/corpus.line $(CORPUS_LINES)/c
	@FALLGATE_CORPUS_SUMMARY=$(CORPUS_LINES)/python $(MAKE) --no-print-directory test-python
	@FALLGATE_CORPUS_SUMMARY=$(CORPUS_LINES)/node $(MAKE) --no-print-directory test-node
	@$(MAKE) --no-print-directory same-answers
	@$(MAKE) --no-print-directory test-page

# What each language says of the corpus: how many calls, of which corpus, and the digest of all decisions.
CORPUS_LINES := $(CURDIR)/target/corpus
LANGUAGES := rust c python node

.PHONY: same-answers
same-answers:
	@cd $(CORPUS_LINES) && for language in $(LANGUAGES); do printf '%-7s' $$language && cat $$language; done
	@cd $(CORPUS_LINES) && test "$$(cat $(LANGUAGES) | sort -u | wc -l)" -eq 1 \
		|| { echo 'the languages do not decide alike: see the lines above' >&2; exit 1; }

.PHONY: test-modes
test-modes: ## Decide the corpus and run the laws without the index, the cache, the quick reader (MODES=… for some, or together)
	@core/tests/modes/run $(MODES)

.PHONY: test-schedules
test-schedules: ## Try the orders in which threads may go on, one after the other (ORDERS=… of each kind)
	FALLGATE_SCHEDULES=$(ORDERS) $(CARGO) test --locked --manifest-path core/schedules/Cargo.toml --target-dir target -- --nocapture

# Optimised, and with every assertion: five times as many steps in the time.
NIGHTLY := $(CARGO) test --locked --release --workspace --features $(FEATURES)

# The state space that has no end: it goes one step farther, and the others go to their ends, which takes an hour.
UNENDED := cache::an_earlier_answer_is_given_while_all_that_it_rests_on_holds

.PHONY: test-nightly
test-nightly: export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS := true
test-nightly: export CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS := true
test-nightly: export CARGO_PROFILE_RELEASE_LTO := off
test-nightly: export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16
test-nightly: ## A million steps of random days (STEPS=…), larger state spaces, a minute of 64 threads, new orders, each mode
	FALLGATE_ORACLE_STEPS=$(STEPS) $(NIGHTLY),fallgate-oracle/new-days --test days -- --nocapture
	FALLGATE_SPACES_DEEPER=1 $(NIGHTLY) --test spaces -- --nocapture --exact $(UNENDED)
	FALLGATE_SPACES_DEEPER=60 $(NIGHTLY) --test spaces -- --nocapture --exact --skip $(UNENDED)
	FALLGATE_THREADS_SECONDS=60 $(CARGO) test --locked --package fallgate --test sixty_four_threads -- --nocapture
	FALLGATE_SCHEDULES_SEED=$$(date +%s) $(MAKE) --no-print-directory test-schedules ORDERS=3000
	@$(MAKE) --no-print-directory test-modes

.PHONY: mutants
mutants: mutants-tool ## Plant small faults where security rests on the code, and see that a test finds each (FILE=… for some)
	@core/tests/mutants/run $(FILE)

.PHONY: mutants-alone
mutants-alone: mutants-tool ## Plant those that the last `make mutants` could not build together: a build for each
	@core/tests/mutants/run --alone $(FILE)

.PHONY: mutants-tool
mutants-tool:
	@$(CARGO) mutants --version 2>/dev/null | grep -qx 'cargo-mutants $(CARGO_MUTANTS_VERSION)' \
		|| $(INSTALL) cargo-mutants@$(CARGO_MUTANTS_VERSION)

.PHONY: test-faults
test-faults: ## Let every point of every call in the drills of the fault tests panic, once and again (takes an hour)
	FALLGATE_FAULTS=all $(CARGO) test --locked --package fallgate --lib engine::tests::panics -- --nocapture

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
	cd bindings/node && node scripts/build.mjs --workspace
	cd bindings/node && npm run --silent check && npm test --silent
	cd bindings/node && npm run --silent test-packed

# What the pages of drills are looked at with; its packages are taken as those of the npm package are.
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
PAGE_MODULES := bindings/cli/tests/page/node_modules/.package-lock.json
$(PAGE_MODULES): bindings/cli/tests/page/package-lock.json
	cd bindings/cli/tests/page && npm install --no-save --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: test-page
ifeq ($(CHROMIUM),)
test-page: ## Open the pages of drills in Chromium
	@test -z "$(FALLGATE_CHROMIUM_REQUIRED)" || { echo 'there is no Chromium, and the pages of drills need it' >&2; exit 1; }
	@echo 'the pages of drills were left out: there is no Chromium on this machine'
else
test-page: $(PAGE_MODULES) command
	cd bindings/cli/tests/page && FALLGATE=$(COMMAND) FALLGATE_CHROMIUM=$(CHROMIUM) npm test --silent
endif

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all
	$(CARGO) fmt --manifest-path core/schedules/Cargo.toml
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml
	$(CARGO) fmt --manifest-path bindings/python/benches/floor/Cargo.toml

.PHONY: lint
lint: ## Check formatting and run clippy, where a warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path core/schedules/Cargo.toml --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path benches/peers/Cargo.toml --check
	$(CARGO) fmt --manifest-path bindings/python/benches/floor/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(CARGO) clippy --locked --manifest-path core/schedules/Cargo.toml --target-dir target --all-targets -- -D warnings

.PHONY: docs
docs: ## Build the reference of the crates, where a warning is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --all-features --no-deps

.PHONY: book
book: book-tool ## Build the book to target/book, where a link that leads nowhere is an error
	@rm -rf target/book
	@mdbook build docs
	@$(PYTHON) docs/links.py target/book

# Without what serves and watches a book that is being written: half the packages.
.PHONY: book-tool
book-tool:
	@mdbook --version 2>/dev/null | grep -qx 'mdbook v$(MDBOOK_VERSION)' \
		|| $(INSTALL) mdbook@$(MDBOOK_VERSION) --no-default-features --features search

# The pages of the book that follow from the definitions.
REFERENCE := docs/book/reference
REFERENCE_PAGES := rules cases pack operation drill control trust envelope commands

.PHONY: generate
generate: command ## Write what is made from the code (docs/formats, the book's reference, fallgate.h, the types of the npm package)
	@mkdir -p docs/formats
	@for format in pack rules cases drill operation envelope trust control; do \
		$(COMMAND) schema $$format > docs/formats/$$format.schema.json.new; \
		mv docs/formats/$$format.schema.json.new docs/formats/$$format.schema.json; \
	done
	@mkdir -p $(REFERENCE)
	@for page in $(REFERENCE_PAGES); do \
		$(COMMAND) book-page $$page > $(REFERENCE)/$$page.md.new; \
		mv $(REFERENCE)/$$page.md.new $(REFERENCE)/$$page.md; \
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
	@git diff --exit-code -- docs/formats $(REFERENCE) bindings/c/include $(NODE_GENERATED) \
		|| { echo 'a generated file is out of date: commit what `make generate` wrote' >&2; exit 1; }
	@new="$$(git ls-files --others --exclude-standard -- docs/formats $(REFERENCE) bindings/c/include $(NODE_GENERATED))"; \
		test -z "$$new" || { echo "generated, but not committed: $$new" >&2; exit 1; }

# Each part measures for itself, keeps what it found below target/bench, and writes docs/benchmarks.md anew from all that is
# there. QUICK=1 tries whether a part runs; its figures mean nothing.
export QUICK ?=
BENCH := RUST_BACKTRACE=0 $(CARGO) bench --locked --package fallgate-benches

.PHONY: bench
bench: ## Measure the workloads on this machine, and write docs/benchmarks.md (QUICK=1 only tries)
	$(BENCH) --bench decisions
	@$(MAKE) --no-print-directory bench-load bench-threads

.PHONY: bench-all
bench-all: bench bench-peers bench-faces ## Measure all: the workloads, the engines of others, and the faces

.PHONY: bench-faces
bench-faces: ## Measure a decision through C, Python and Node; a face that fails is said to, and the others go on
	@for face in c python node; do \
		$(MAKE) --no-print-directory bench-$$face || echo "bench-$$face failed: docs/benchmarks.md has its last figures, or none" >&2; \
	done

.PHONY: bench-load
bench-load: ## Measure from a bundle's bytes to ready, and what a decision allocates
	$(BENCH) --bench load
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-threads
bench-threads: ## Measure how decisions scale from one thread to two
	$(BENCH) --bench two_threads
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-report
bench-report: ## Write docs/benchmarks.md from what was measured
	@$(CARGO) run --locked --quiet --release --package fallgate-benches --bin report -- docs/benchmarks.md

.PHONY: bench-budget
bench-budget: ## Count the instructions of a decision on each path, and compare them with benches/budget.txt
	benches/budget

.PHONY: bench-scale
bench-scale: ## Measure what much of everything costs, and write docs/scale.md with its curves
	RUST_BACKTRACE=0 $(CARGO) run --locked --release --package fallgate-benches --bin scale -- --write "$$(date -u +%F)"

.PHONY: bench-c
bench-c: ## Measure a decision through C beside one in Rust
	@$(MAKE) --no-print-directory -C bindings/c bench
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-peers
bench-peers: ## Measure the same work in other engines (slow to build)
	@RUST_BACKTRACE=0 $(CARGO) bench --locked --manifest-path benches/peers/Cargo.toml \
		|| echo 'bench-peers failed: docs/benchmarks.md has the last figures of the engines of others, or none' >&2
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-python
bench-python: ## Measure the Python face beside its floors, cedarpy and casbin
	@test -d target/python/bench || $(PYTHON) -m venv target/python/bench
	target/python/bench/bin/pip install --quiet --disable-pip-version-check maturin==1.16.0
	target/python/bench/bin/pip install --quiet --disable-pip-version-check --requirement bindings/python/benches/requirements.txt \
		|| echo 'the peers of Python are not all installed: those that are not are left out' >&2
	target/python/bench/bin/pip install --quiet --force-reinstall --no-deps ./bindings/python ./bindings/python/benches/floor
	RUST_BACKTRACE=0 target/python/bench/bin/python bindings/python/benches/run.py
	@$(MAKE) --no-print-directory bench-report

.PHONY: bench-node
bench-node: ## Measure the npm package beside its floors and its peers
	cd bindings/node/benches && { npm install --no-save --ignore-scripts --no-audit --no-fund \
		|| echo 'the peers of Node are not installed: they are left out' >&2; }
	cd bindings/node/benches && RUST_BACKTRACE=0 node run.mjs
	@$(MAKE) --no-print-directory bench-report

.PHONY: fuzz
fuzz: export FUZZ_SANITIZER := $(SANITIZER)
fuzz: fuzz-tool command ## Fuzz (TARGET=name or all, TIME=seconds for each, SANITIZER=address)
	@rm -f fuzz/artifacts/*.log
	@printf '%s\n' $(if $(filter all,$(TARGET)),$(FUZZ_TARGETS),$(TARGET)) | xargs -P "$$(nproc)" -I TARGET fuzz/run TARGET "$(TIME)" \
		|| { for log in $$(grep -lx FAILED fuzz/artifacts/*.log); do echo "== $$log"; tail -n 40 "$$log"; done; exit 1; }

.PHONY: fuzz-planted
fuzz-planted: fuzz-tool command ## Plant faults in a copy, and see that the fuzz targets find them (TIME=seconds for each, TARGET=name)
	@fuzz/planted $(TIME) $(filter-out all,$(TARGET))

.PHONY: fuzz-tool
fuzz-tool:
	@$(CARGO) fuzz --version 2>/dev/null | grep -qx 'cargo-fuzz $(CARGO_FUZZ_VERSION)' \
		|| $(INSTALL) cargo-fuzz@$(CARGO_FUZZ_VERSION)

.PHONY: coverage
coverage: coverage-tool ## Measure which lines and branches of the core its tests reach, and write docs/coverage.md
	@core/tests/coverage/run

.PHONY: coverage-tool
coverage-tool:
	@$(CARGO) llvm-cov --version 2>/dev/null | grep -qx 'cargo-llvm-cov $(CARGO_LLVM_COV_VERSION)' \
		|| $(INSTALL) cargo-llvm-cov@$(CARGO_LLVM_COV_VERSION)

.PHONY: deny
deny: deny-tool ## Check licences, sources and doubles of what we depend on (ADVISORIES=… a clone of RustSec's, too)
	@$(CARGO) deny --locked check --hide-inclusion-graph licenses sources bans
	@test -z "$(ADVISORIES)" && echo 'advisories were not looked at: name a clone of them with ADVISORIES=folder' || supply/advisories "$(ADVISORIES)"

.PHONY: deny-tool
deny-tool:
	@$(CARGO) deny --version 2>/dev/null | grep -qx 'cargo-deny $(CARGO_DENY_VERSION)' \
		|| $(INSTALL) cargo-deny@$(CARGO_DENY_VERSION)

.PHONY: sbom
sbom: target/sbom/env/ready ## List what the crate, the wheel and the npm package are made of, in target/sbom
	@$(CARGO) cyclonedx --version 2>/dev/null | grep -qx 'cargo-cyclonedx-cyclonedx $(CARGO_CYCLONEDX_VERSION)' \
		|| $(INSTALL) cargo-cyclonedx@$(CARGO_CYCLONEDX_VERSION)
	@target/sbom/env/bin/python supply/sbom

target/sbom/env/ready: supply/requirements.txt
	@rm -rf target/sbom/env && mkdir -p target/sbom
	@$(PYTHON) -m venv target/sbom/env
	@target/sbom/env/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: reproducible
reproducible: ## Build the wheel and the npm package twice, and compare their bytes (slow)
	@supply/reproducible
