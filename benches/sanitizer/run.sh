#!/usr/bin/env bash
# Runs the tests of crates/resnet-kernels under the address sanitizer, in every instruction set that this processor has,
# and writes result.md beside this script. Requires only stable Rust on Linux.
set -euo pipefail
cd "$(dirname "$0")/../.."

host=$(rustc -vV | sed -n 's/^host: //p')
# The sanitizer is not yet a stable flag; with an explicit target, build scripts and macros are built without it.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address
mkdir -p target/sanitizer

# shellcheck disable=SC2086
rustc $RUSTFLAGS --edition 2024 -o target/sanitizer/broken benches/sanitizer/broken.rs
if found=$(target/sanitizer/broken 2>&1) || [[ $found != *heap-buffer-overflow* ]]; then
    echo "the sanitizer does not detect a read past the end of a buffer" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
outcome=passed
flags=(--package resnet-kernels --profile sanitizer --target "$host" --lib --tests)
cargo test --locked --target-dir target/sanitizer "${flags[@]}" 2>&1 | tee "$log" || outcome=failed

cat > benches/sanitizer/result.md <<END
# The kernels under the address sanitizer

Written by \`benches/sanitizer/run.sh\`; each test runs in every instruction set that the processor has.

| | |
|---|---|
| outcome | $outcome |
| tests | $(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0 " passed, " failed + 0 " failed" }' "$log") |
| sanitizer errors | $(grep -c '^SUMMARY: AddressSanitizer' "$log" || true) |
| detects a read past the end | yes (\`broken.rs\`) |
| command | \`RUSTC_BOOTSTRAP=1 RUSTFLAGS=$RUSTFLAGS cargo test ${flags[*]}\` |
| Rust | $(rustc --version | cut -d ' ' -f 2) |
| processor | $(uname -m)$(grep -qw avx2 /proc/cpuinfo && echo ", AVX2")$(grep -qw avx512f /proc/cpuinfo && echo ", AVX-512") |
| pulp, rayon, rustix | $(cargo tree --locked --package resnet-kernels --depth 1 --prefix none --format '{p}' | sed -n 's/^\(pulp\|rayon\|rustix\) v\([0-9.]*\).*/\2/p' | paste -sd, | sed 's/,/, /g') |
END
[[ $outcome == passed ]]
