#!/usr/bin/env bash
# Runs the kernel tests of tests/all/ under the address sanitizer, in every instruction set that this processor has, and
# writes result.md beside this script. Requires only stable Rust on Linux.
set -euo pipefail
cd "$(dirname "$0")"

host=$(rustc -vV | sed -n 's/^host: //p')
# The sanitizer is not yet a stable flag; with an explicit target, build scripts and macros are built without it.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address
flags=(--release --locked --target "$host" --target-dir ../../target/sanitizer)

cargo build --quiet "${flags[@]}" --bin broken
if found=$("../../target/sanitizer/$host/release/broken" 2>&1) || [[ $found != *heap-buffer-overflow* ]]; then
    echo "the sanitizer does not detect a read past the end of a buffer" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
outcome=passed
cargo test "${flags[@]}" --tests 2>&1 | tee "$log" || outcome=failed

cat > result.md <<END
# The kernels under the address sanitizer

Written by \`benches/sanitizer/run.sh\`; each test runs in every instruction set that the processor has.

| | |
|---|---|
| outcome | $outcome |
| tests | $(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0 " passed, " failed + 0 " failed" }' "$log") |
| sanitizer errors | $(grep -c '^SUMMARY: AddressSanitizer' "$log" || true) |
| detects a read past the end | yes (\`broken.rs\`) |
| command | \`RUSTC_BOOTSTRAP=1 RUSTFLAGS=$RUSTFLAGS cargo test --release --target $host --tests\` |
| Rust | $(rustc --version | cut -d ' ' -f 2) |
| processor | $(uname -m)$(grep -qw avx2 /proc/cpuinfo && echo ", AVX2")$(grep -qw avx512f /proc/cpuinfo && echo ", AVX-512") |
| pulp, rayon, rustix | $(cargo tree --locked --depth 1 --prefix none --format '{p}' | sed -n 's/^\(pulp\|rayon\|rustix\) v\([0-9.]*\).*/\2/p' | paste -sd, | sed 's/,/, /g') |
END
[[ $outcome == passed ]]
