#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package with dpkg: tests/packaging/deb.sh PACKAGE.deb
# Needs root. Nothing of this machine is changed: all of it happens in a copy of its files that ends with this script.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    package=$(realpath "$1")
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    # A namespace of mounts of its own, so that none is left behind. The inner shell expands its own arguments.
    # shellcheck disable=SC2016
    unshare --mount -- bash -euc '
        mount --make-rprivate /
        mount -t tmpfs tmpfs "$1"
        mkdir "$1/upper" "$1/work" "$1/root"
        mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
        mount -t proc proc "$1/root/proc"
        mount --bind /dev "$1/root/dev"
        mount -t tmpfs tmpfs "$1/root/run"
        mkdir "$1/root/package"
        cp "$2" "$1/root/package/first.deb"
        cp "$3" "$1/root/package/test.sh"
        exec chroot "$1/root" bash /package/test.sh --inside
    ' _ "$scratch" "$package" "$(realpath "$0")"
    exit
fi

cd /package
# The index of manual pages takes long and is not what is tried.
rm -f /var/lib/man-db/auto-update
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
etc=/etc/twiml-responder
units="twiml-responder.service twiml-responder.socket twiml-responder-admin.socket"
passed=0

# holds WHAT COMMAND…: the command must succeed.
holds() {
    local what=$1
    shift
    "$@" || {
        printf 'deb: failed: %s: %s\n' "$what" "$*" >&2
        exit 1
    }
    passed=$((passed + 1))
}
not() { ! "$@"; }
says() { grep -qF -- "$1" "$2"; }
state() { [ "$(dpkg-query -W -f '${db:Status-Status}' twiml-responder 2>/dev/null || echo none)" = "$1" ]; }
is_mode() { [ "$(stat -c '%a %U:%G' "$2")" = "$1" ]; }
is_enabled() { [ "$(systemctl is-enabled "$1" 2>&1)" = enabled ]; }
# dpkg keeps a file that was edited without asking, as an operator's answer does.
install() { dpkg --force-confold --install "$1" >log 2>&1 || { cat log && false; }; }

# The machine may have the package, or what it is built from, already.
dpkg --purge twiml-responder >/dev/null 2>&1 || true
rm -rf "$etc" /etc/default/twiml-responder

# The next version has another table and other options than the first.
dpkg-deb --raw-extract first.deb tree
sed -i 's/^Version: .*/Version: 999.0-1/' tree/DEBIAN/control
echo '# new in 999' | tee -a "tree$etc/responses.toml" >>tree/etc/default/twiml-responder
(cd tree && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --build --root-owner-group tree next.deb >/dev/null

echo "deb: install"
holds "install" install first.deb
holds "it says what to do next" says "systemctl enable --now twiml-responder" log
holds "it says where the token goes" says "$etc/auth-token" log
holds "the state" state installed
holds "the program runs" test -n "$(/usr/bin/twiml-responder --version)"
holds "the table is fine" twiml-responder check --deny-warnings "$etc/responses.toml" >log
holds "the table can be read by the service" is_mode "644 root:root" "$etc/responses.toml"
holds "the token is for root alone" is_mode "600 root:root" "$etc/auth-token"
holds "the token is empty" not test -s "$etc/auth-token"
for unit in $units; do
    holds "nothing is enabled" not is_enabled "$unit"
done
holds "files are whole" dpkg --verify twiml-responder
holds "the manual page" bash -c 'zcat /usr/share/man/man1/twiml-responder.1.gz | grep -q "EXIT STATUS"'
for file in /usr/share/bash-completion/completions/twiml-responder \
    /usr/share/zsh/vendor-completions/_twiml-responder \
    /usr/share/fish/vendor_completions.d/twiml-responder.fish \
    /usr/share/doc/twiml-responder/{README.md,changelog.gz,changelog.Debian.gz,copyright,libraries.txt.gz} \
    /usr/share/doc/twiml-responder/docs/operating.md \
    /usr/share/doc/twiml-responder/examples/{responses.toml,nginx.conf,Caddyfile}; do
    holds "there is" test -s "$file"
done

echo "deb: an operator sets it up"
echo 0123456789abcdef0123456789abcdef >"$etc/auth-token"
sed -i 's/not in use right now/closed/' "$etc/responses.toml"
echo 'number,name' >"$etc/sellers.csv"
mkdir -p /var/lib/private/twiml-responder
ln -sfn private/twiml-responder /var/lib/twiml-responder
# shellcheck disable=SC2086 # several units
systemctl --quiet enable $units 2>/dev/null

echo "deb: upgrade"
holds "upgrade" install next.deb
holds "it does not tell a newcomer's steps" not says "systemctl enable --now" log
holds "the new version" test "$(dpkg-query -W -f '${Version}' twiml-responder)" = 999.0-1
holds "an edited table stays" says "closed" "$etc/responses.toml"
holds "the new table is beside it" says "new in 999" "$etc/responses.toml.dpkg-dist"
holds "options that nobody edited are the new ones" says "new in 999" /etc/default/twiml-responder
holds "the token stays" says 0123456789abcdef "$etc/auth-token"
holds "the token is for root alone" is_mode "600 root:root" "$etc/auth-token"
holds "files beside the table stay" test -s "$etc/sellers.csv"
for unit in $units; do
    holds "what was enabled stays so" is_enabled "$unit"
done

echo "deb: remove"
holds "remove" dpkg --remove twiml-responder >log
holds "the state" state config-files
holds "the program is gone" not test -e /usr/bin/twiml-responder
holds "the table stays" says "closed" "$etc/responses.toml"
holds "the token stays" says 0123456789abcdef "$etc/auth-token"

echo "deb: install again"
holds "install" install next.deb
holds "the table stays" says "closed" "$etc/responses.toml"
for unit in $units; do
    holds "what was enabled is so again" is_enabled "$unit"
done

echo "deb: purge"
holds "purge" dpkg --purge twiml-responder >log
holds "the state" state none
holds "the table is gone" not test -e "$etc/responses.toml"
holds "the token is gone" not test -e "$etc/auth-token"
holds "the options are gone" not test -e /etc/default/twiml-responder
holds "the last good copy is gone" not test -e /var/lib/private/twiml-responder
holds "so is its link" not test -L /var/lib/twiml-responder
holds "what the package did not bring stays" test -s "$etc/sellers.csv"
for unit in $units; do
    holds "no link is left" test -z "$(find /etc/systemd /var/lib/systemd -name "$unit*" 2>/dev/null)"
done

echo "deb: purge of what nobody touched"
rm -rf "$etc"
holds "install" install first.deb
holds "purge" dpkg --purge twiml-responder >log
holds "the folder is gone" not test -e "$etc"

echo "deb: $passed passed, 0 failed"
