#!/usr/bin/env bash
# Builds the Debian package: packaging/deb.sh [FOLDER FOR THE .deb]. Prints its path. Needs cargo, Python 3 and dpkg;
# installs cargo-deb if it is missing. DEBFULLNAME and DEBEMAIL name the packager. PROFILE=FILE, a profile from
# packaging/profile.py, makes the program faster and smaller.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-target/debian}
target=${CARGO_TARGET_DIR:-target}
version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml)
# The time of the last commit, so that the same source gives the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
# Keep the builder's path to the libraries' sources out of the program, so that every machine builds the same one.
export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
[ -z "${PROFILE:-}" ] || RUSTFLAGS+=" -Cprofile-use=$(realpath -e "$PROFILE")"

maintainer=$(sed -n 's/^maintainer = "\(.*\)"$/\1/p' Cargo.toml)
[ -z "${DEBEMAIL:-}" ] || maintainer="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"

command -v cargo-deb >/dev/null || cargo install --locked --quiet cargo-deb@3.8.0
${CARGO_BUILD:-cargo build} --release --locked
binary="$target/release/twiml-responder"

# What the program says about itself, and what dpkg requires of every package. Cargo.toml names these files.
made=target/package
rm -rf "$made"
mkdir -p "$made" "$output"
"$binary" man | gzip -9n >"$made/twiml-responder.1.gz"
"$binary" completions bash >"$made/twiml-responder"
"$binary" completions zsh >"$made/_twiml-responder"
"$binary" completions fish >"$made/twiml-responder.fish"
gzip -9nc CHANGELOG.md >"$made/changelog.gz"
cargo metadata --format-version 1 --locked | python3 packaging/libraries.py | gzip -9n >"$made/libraries.txt.gz"
cat >"$made/changelog" <<TEXT
twiml-responder ($version-1) unstable; urgency=medium

  * What changed is in /usr/share/doc/twiml-responder/changelog.gz.

 -- $maintainer  $(date -uRd "@$SOURCE_DATE_EPOCH")
TEXT

cargo deb --no-build --locked --maintainer "$maintainer" --output "$output/" | tail -n 1
