# `make` alone lists the targets. Each is one command of cargo or buf, after `setup` made sure that it can run.
.DEFAULT_GOAL := help
.PHONY: help setup demo dev test bench-trades ci fmt lint proto

# setup writes .aex/env when it had to fetch PostgreSQL; what starts a server has to know where it is.
env = . ./.aex/env &&
# The market day starts the exchange that lies beside it, so one command builds both; `cargo run` would build one alone.
release = $${CARGO_TARGET_DIR:-target}/release
tools = PATH="$(CURDIR)/.aex/tools/bin:$$PATH"

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## check for cargo and a C compiler, find or fetch PostgreSQL
	@scripts/setup

demo: setup ## play a market day, from the first bid to the last payment
	@test -x $(release)/aex-digits || echo "first build: about 9 minutes on 2 cores, 3 GiB disk"
	$(env) cargo build --release --locked -p aex -p aex-digits
	$(env) $(release)/aex-digits day

dev: setup ## run the whole exchange on this machine
	$(env) cargo run --release -p aex -- dev

test: setup ## run all tests
	@scripts/tools --optional buf grpcurl python
	@rm -rf target/reasons target/skipped
	$(env) cargo test --workspace --locked
	@scripts/reasons
	@scripts/skipped

bench-trades: setup ## measure the release: trades a second, growth, reads, auctions
	$(env) cargo build --release --locked -p aex -p aex-loadtest
	$(env) $(release)/aex-loadtest

ci: ## run every check that CI runs
	@scripts/ci

fmt: ## format the code and the contracts
	cargo fmt
	@scripts/tools buf
	$(tools) buf format --write

lint: ## check the code and the contracts without running them
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@scripts/tools buf
	$(tools) buf lint

# The baseline is what clients were generated from. A change that breaks them is shown here and accepted with the commit.
proto: ## check and format the contracts, then make them the baseline for `buf breaking`
	@scripts/tools buf
	$(tools) buf lint
	$(tools) buf format --write
	@test ! -e proto/baseline.binpb || $(tools) buf breaking --against proto/baseline.binpb || \
		echo "The new baseline accepts these breaking changes."
	$(tools) buf build --exclude-source-info --output proto/baseline.binpb
