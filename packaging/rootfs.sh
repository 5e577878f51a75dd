#!/bin/sh
# Lays out the container image's content: packaging/rootfs.sh FOLDER PROGRAM. The program must be static, because the image has
# no libraries. With --build as PROGRAM, it is built first, on a system whose own programs are static, such as Alpine.
set -eu
cd "$(dirname "$0")/.."
folder=$1
program=$2
if [ "$program" = --build ]; then
    cargo build --release --locked
    program=target/release/twiml-responder
fi
root=$folder/root
mkdir -p "$root/usr/bin" "$root/etc/twiml-responder" "$root/var/lib" "$folder/state"
cp "$program" "$root/usr/bin/twiml-responder"
cp packaging/responses.toml "$root/etc/twiml-responder/"
echo 'twiml-responder:x:65532:65532::/:/usr/bin/twiml-responder' >"$root/etc/passwd"
echo 'twiml-responder:x:65532:' >"$root/etc/group"
chmod 755 "$root/usr/bin/twiml-responder"
chmod 644 "$root/etc/twiml-responder/responses.toml" "$root/etc/passwd" "$root/etc/group"
chmod 700 "$folder/state"
