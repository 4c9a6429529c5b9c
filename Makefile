# The two commands: `make run` shows the pool at work, `make test` runs all tests. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help run test soak bench dashboard fmt lint unit coverage deny example openapi packages packages-fixtures clean-tools

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: dashboard ## Build everything and run the pool with a simulated DAG, virtual miners and the dashboard
	cargo run --bin dagpool -- demo $(ARGS)

test: ## Install what tests need and run all of them
	tests/tools/test.sh

soak: ## The long forms: hundreds of kills, long outages
	DAGPOOL_SOAK=1 cargo nextest run -p pool-tests --run-ignored only -E 'not test(traces::)'
	tests/tools/traces.sh
	SECONDS_EACH=600 EXAMPLES=500 SEED=$$RANDOM tests/tools/schemathesis.sh

bench: ## Benchmarks; print ratios to the raw limit of the same run
	cargo bench -p pool-engine -p pool-actors
	cargo nextest run --release -p pool-actors --run-ignored only --no-capture
	tests/tools/bench.sh

dashboard: ## Build the dashboard's front end
	tests/tools/dashboard.sh

fmt: ## Format
	cargo fmt --all
	cd dashboard && npm run format

lint: ## Formatting, clippy, dashboard checks
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

coverage: ## Coverage gates
	tests/tools/coverage.sh

deny: ## Dependency policy
	tests/tools/deny.sh

example: ## Regenerate pool.example.toml from the types
	DAGPOOL_WRITE_EXAMPLE=1 cargo nextest run -p pool-actors example

openapi: ## Regenerate dashboard/openapi.json, the front end's types and docs/access.md from the types and routes of the API
	DAGPOOL_WRITE_OPENAPI=1 cargo nextest run -p pool-actors what_is_kept_in_the_repository
	npm --prefix dashboard run --silent api-types

packages: ## Every algorithm as a signed package, wasm and native, in target/packages
	tests/tools/algorithm_packages.sh

packages-fixtures: ## Renew the reference packages of the tests
	WASM_ONLY=1 tests/tools/algorithm_packages.sh
	DAGPOOL_WRITE_FIXTURES=1 cargo nextest run -p pool-engine --test packages
