# One gate, cheapest first.
check:
    cargo fmt --all --check
    cargo clippy --release --all-targets -- -D warnings
    cargo test --release
    RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --document-private-items

# The main job.
run *ARGS:
    cargo run --release -- run cnn_svm {{ARGS}}

# Training and fitting against the peers (set PIPELINE_DATA); needs a Python with torch, scikit-learn and
# scikit-learn-intelex: `just peers python=/path/to/python`.
peers python="python3":
    {{python}} benches/peers/cnn.py
    {{python}} benches/peers/svm.py --peers intelex

# Reference numbers of the tests, made anew by other libraries.
fixtures python="python3":
    for script in tests/reference/*.py; do {{python}} "$script"; done
