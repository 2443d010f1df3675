# Two commands for a fresh Debian 12 with Rust: `make demo` and `make test`.

.PHONY: demo test test-kernel sweep check lint bench fuzz setup

setup:
	@scripts/setup

demo: setup
	@cargo build --release --bin reeld --bin reelctl --bin reel-vtl
	@scripts/demo $(if $(KEEP),--keep)

test: setup lint
	cargo build --workspace --bins --tests
	cargo test --workspace --no-fail-fast
	@scripts/test-kernel

test-kernel: setup
	@scripts/test-kernel

sweep: setup
	REELFS_SWEEP=all cargo test -p reel-tests --test sweep -- --nocapture

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

bench: setup
	cargo build --release --workspace --bins
	cargo bench --workspace

fuzz:
	scripts/fuzz $(TARGET)
