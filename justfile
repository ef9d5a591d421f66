# Call these through scripts/just, which first finds or installs what is missing.

set positional-arguments
set shell := ["bash", "-euo", "pipefail", "-c"]

# .cargo/config.toml says where libtorch is
unexport LIBTORCH

# libtorch's own threads only get into each other's way here: tests and runs are parallel already
export OMP_NUM_THREADS := env("OMP_NUM_THREADS", "1")

# Programs that are no target of the workspace's
outside := "examples/own-model/src/main.rs crates/experiments/tests/scaffold/copies.rs"

bin := env("CARGO_TARGET_DIR", "target") / "debug/scenarec"

# the recipes
[private]
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Fetch what a build needs (libtorch, the crates); the other recipes do it too
setup:
    @scripts/just --summary > /dev/null
    cargo fetch --locked

# Build everything
build:
    cargo build --workspace --all-targets

# What continuous integration checks: format, lints, documentation, tests
test: _fmt-check clippy doc
    @echo "== tests"
    cargo test --workspace --locked

_fmt-check:
    @echo "== format"
    cargo fmt --all --check
    rustfmt --check --edition 2024 {{ outside }}

# Format the code
fmt:
    cargo fmt --all
    rustfmt --edition 2024 {{ outside }}

# Lints; a warning is an error
clippy:
    @echo "== lints"
    cargo clippy --workspace --all-targets --locked -- -D warnings

# API documentation; a warning is an error
doc:
    @echo "== documentation"
    RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc --workspace --no-deps --locked

# Licences, sources and advisories of the dependencies; needs `cargo install cargo-deny`
deny:
    cargo deny check

# Run what is missing of a table, and show it beside the paper's: reproduce-table csdm-table1 --quick
reproduce-table TABLE *ARGS: _scenarec
    @"{{ bin }}" run "$@"

# The same for a figure: reproduce-figure csdm-figure2 --quick
reproduce-figure FIGURE *ARGS: _scenarec
    @"{{ bin }}" run "$@"

# Tables and figures, and which of their runs exist
list *ARGS: _scenarec
    @"{{ bin }}" list "$@"

# Speed and memory beside programs in Python that do the same: bench deepfm csdm
bench *ARGS: _scenarec _peers
    @"{{ bin }}" bench --python .venv/bin/python "$@"

# Check this machine and this checkout
doctor *ARGS: _scenarec
    @"{{ bin }}" doctor "$@"

# Any other command of the program: scenarec plan csdm-table1
scenarec *ARGS: _scenarec
    @"{{ bin }}" "$@"

# Build and run examples/own-model, a crate outside the workspace that trains a model of its own
own-model:
    export CARGO_TARGET_DIR="$(realpath -m "${CARGO_TARGET_DIR:-target}")"; cd examples/own-model; cargo run --locked

# Of the whole workspace, as tests are: one package alone has other features, and its dependencies would be compiled again.
_scenarec:
    @cargo build --workspace --bin scenarec

# Regenerate the golden files with PyTorch: all, or the scripts named
golden *SCRIPTS: _venv
    @if [ $# = 0 ]; then set -- golden/gen/*.py; fi; \
    for script in "$@"; do echo "== $script"; .venv/bin/python -B "$script"; done

# Have PyTorch give the logits of exported nets, and load a saved one
serving: _scenarec _venv
    @scripts/check-serving "{{ bin }}" .venv/bin/python

# The PyTorch that golden files come from
_venv:
    @if ! [ -e .venv/complete ]; then \
        echo "== making .venv with PyTorch (several gigabytes)"; \
        python3 -m venv --clear .venv; \
        .venv/bin/pip install --quiet torch==2.11.0 numpy safetensors; \
        touch .venv/complete; \
    fi

# What is measured beside ours
_peers: _venv
    @if ! [ -e .venv/peers ]; then \
        .venv/bin/pip install --quiet pandas polars pyarrow scikit-learn; \
        touch .venv/peers; \
    fi
