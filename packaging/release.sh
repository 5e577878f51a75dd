#!/usr/bin/env bash
# Makes all files of a release: packaging/release.sh [--tag vVERSION] [--install] FOLDER
# For each processor that this machine can build for (x86_64, aarch64): a static program in a tar.gz, and a container image. For
# this machine's processor: a deb and an rpm. Also a list of libraries (SBOM, CycloneDX) and SHA256SUMS. The same commit gives the
# same bytes. Needs rustup, Python 3 and what packaging/static.sh, packaging/image.sh and packaging/deb.sh need; --install fetches
# that on Debian and Ubuntu. What cannot be built is left out, with a message.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml)
install=
while [ "${1:-}" != "${1#--}" ]; do
    case $1 in
    --tag)
        [ "$2" = "v$version" ] || {
            echo "release: the tag is $2, and Cargo.toml says v$version" >&2
            exit 2
        }
        shift 2
        ;;
    --install)
        install=1
        shift
        ;;
    *)
        echo "release: no option is called $1" >&2
        exit 2
        ;;
    esac
done
mkdir -p "$1"
output=$(realpath "$1")
[ -z "$(ls -A "$output")" ] || {
    echo "release: $output is not empty" >&2
    exit 2
}

if [ -n "$install" ]; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        buildah gcc-aarch64-linux-gnu libc6-dev-arm64-cross musl-tools qemu-user-static rpmlint >/dev/null
fi
left_out() { printf 'release: without %s\n' "$*" >&2; }
tool() { command -v "$1" >/dev/null || cargo install --locked --quiet "$1@$2"; }
tool cargo-auditable 0.7.7
tool cargo-cyclonedx 0.5.9
tool cargo-generate-rpm 0.21.1

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
TWIML_COMMIT=$(git rev-parse HEAD)
export SOURCE_DATE_EPOCH TWIML_COMMIT
# Each program carries the list of its libraries, for scanners such as `cargo audit bin`.
export CARGO_BUILD="cargo auditable build"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# same_tar NAME FOLDER: a reproducible tar.gz of a folder.
same_tar() {
    tar --create --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
        --directory "$(dirname "$2")" "$(basename "$2")" | gzip -9n >"$output/$1.tar.gz"
}

for architecture in x86_64 aarch64; do
    name=twiml-responder-$version-$architecture-linux
    program=$(packaging/static.sh "$architecture") || {
        left_out "a static program for $architecture"
        continue
    }
    mkdir -p "$scratch/$name"
    cp -r "$program" README.md SECURITY.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT docs responses.toml "$scratch/$name/"
    same_tar "$name" "$scratch/$name"
    if [ "$architecture" = "$(uname -m)" ] || command -v "qemu-$architecture-static" >/dev/null; then
        runner=()
        [ "$architecture" = "$(uname -m)" ] || runner=("qemu-$architecture-static")
        # Verify that it runs, and knows its time zones and its TwiML.
        "${runner[@]}" "$program" check --deny-warnings responses.toml >/dev/null
    else
        left_out "a trial of the program for $architecture, since there is no qemu-$architecture-static"
    fi
    if command -v buildah >/dev/null; then
        packaging/image.sh "$program" "$scratch/image.tar" "$architecture"
        gzip -9nc "$scratch/image.tar" >"$output/twiml-responder-$version-$architecture-image.tar.gz"
    else
        left_out "the container image for $architecture, since there is no buildah"
    fi
done

cp "$(packaging/deb.sh "$scratch")" "$output/"
# The rpm contains the files that deb.sh has just made.
cargo generate-rpm --output "$output/" --source-date "$SOURCE_DATE_EPOCH" >/dev/null
if command -v rpmlint >/dev/null; then
    rpmlint --rpmlintrc packaging/rpmlintrc "$output"/*.rpm
else
    left_out "rpmlint's opinion of the rpm"
fi

cargo cyclonedx --format json --override-filename "$scratch/sbom" --quiet
# It would have a different serial number and time on each run.
python3 - "$scratch/sbom.json" "$output/twiml-responder-$version.cdx.json" <<'PYTHON'
import json, sys
bom = json.load(open(sys.argv[1], encoding="utf-8"))
bom.pop("serialNumber", None)
bom["metadata"].pop("timestamp", None)
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(bom, file, indent=1, sort_keys=True)
    file.write("\n")
PYTHON

cd "$output"
sha256sum -- * >"$scratch/SHA256SUMS"
mv "$scratch/SHA256SUMS" .
cat SHA256SUMS
