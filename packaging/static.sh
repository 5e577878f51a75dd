#!/usr/bin/env bash
# Builds a static program: packaging/static.sh [x86_64|aarch64]. Prints its path. Needs rustup, which fetches the standard
# library for musl, and a C compiler for the target: musl-tools, or gcc-aarch64-linux-gnu for aarch64. Exits with 3 if the
# target is not available. PROFILE=FILE, a profile from packaging/profile.py, makes the program faster and smaller.
set -euo pipefail
cd "$(dirname "$0")/.."
architecture=${1:-$(uname -m)}
target=$architecture-unknown-linux-musl
without() {
    printf 'no static program: %s\n' "$*" >&2
    exit 3
}
if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    rustup target add "$target" >&2 || without "rustup cannot fetch $target"
fi
# ring contains C code. The only C library that is linked is that of the target.
case $architecture in
x86_64) compiler=musl-gcc ;;
*) compiler=$architecture-linux-gnu-gcc ;;
esac
command -v "$compiler" >/dev/null || without "$compiler is missing"
variable=${target//-/_}
export "CC_$variable=$compiler"
# With glibc's headers, the code would call functions that musl does not have.
export "CFLAGS_$variable=-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0"
export "CARGO_TARGET_${variable^^}_LINKER=rust-lld"
# Keep the builder's path to the libraries' sources out of the program, so that every machine builds the same one.
export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
[ -z "${PROFILE:-}" ] || RUSTFLAGS+=" -Cprofile-use=$(realpath -e "$PROFILE")"
${CARGO_BUILD:-cargo build} --release --locked --target "$target" >&2
echo "${CARGO_TARGET_DIR:-target}/$target/release/twiml-responder"
