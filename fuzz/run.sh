#!/usr/bin/env bash
# Runs the fuzz targets one after the other: fuzz/run.sh SECONDS [TARGET...]. Begins with the seeds; what it finds new is kept in
# fuzz/corpus, and what breaks a target in fuzz/artifacts. With any Rust: libFuzzer is all that it needs, with C++.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?how many seconds for each target}
shift
targets=("$@")
[ "${#targets[@]}" != 0 ] || targets=(form table answer url import events journal)
host=$(rustc -vV | sed -n 's/^host: //p')
# As cargo-fuzz does it, without a sanitizer: there is no `unsafe` of ours to watch.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --locked --quiet --target "$host"
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" "artifacts/$target"
    dictionary=()
    [ ! -e "dictionaries/$target" ] || dictionary=("-dict=dictionaries/$target")
    printf '%s: ' "$target"
    # A minute for one input is far more than linear.
    if ! "${CARGO_TARGET_DIR:-target}/$host/release/$target" "corpus/$target" "seeds/$target" "${dictionary[@]}" \
        -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 >"artifacts/$target.log" 2>&1; then
        printf 'broken\n'
        tail -n 60 "artifacts/$target.log"
        exit 1
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "artifacts/$target.log")
    covered=$(sed -nE 's/.* cov: ([0-9]+) .*/\1/p' "artifacts/$target.log" | tail -n 1)
    printf '%s inputs in %s s, %s places covered\n' "$executed" "$seconds" "$covered"
done
