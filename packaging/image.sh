#!/usr/bin/env bash
# Builds the container image without a daemon, with buildah and Python 3: packaging/image.sh PROGRAM ARCHIVE [x86_64|aarch64].
# PROGRAM comes from packaging/static.sh; ARCHIVE is for `docker load` and `podman load`. The same program gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
archive=$2
architecture=${3:-$(uname -m)}
version=$(sed -n '0,/^version = "\(.*\)"$/s//\1/p' Cargo.toml)
revision=${TWIML_COMMIT:-$(git rev-parse HEAD 2>/dev/null || true)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
case $architecture in
x86_64) platform=linux/amd64 ;;
aarch64) platform=linux/arm64 ;;
esac
folder=$(mktemp -d)
# Remove the image from this machine: only the archive is needed.
trap 'rm -rf "$folder"' EXIT
packaging/rootfs.sh "$folder/image" "$program"
buildah() {
    command buildah --storage-driver vfs --root "$folder/storage" --runroot "$folder/run" "$@"
}
# The program takes the place of the first stage.
mkdir "$folder/stage"
mv "$folder/image" "$folder/stage/image"
find "$folder/stage" -exec touch --date "@$SOURCE_DATE_EPOCH" {} +
# HEALTHCHECK is in Docker's format only.
image=$(buildah build --quiet --isolation chroot --format docker --platform "$platform" --timestamp "$SOURCE_DATE_EPOCH" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-context build="$folder/stage" \
    --file packaging/Containerfile "$folder/stage" | tail -n 1)
buildah push --quiet "$image" "docker-archive:$folder/archive:twiml-responder:$version" >/dev/null
python3 packaging/plain_archive.py "$folder/archive" "$archive"
