#!/usr/bin/env bash
# test-deb.sh [ROOT] installs the deb of bin/dist in a Debian root, begins a publication there as its user, upgrades and
# removes the package, and looks that the publication stays. Without ROOT debootstrap makes one. Needs root.
set -eu -o pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo 'test-deb: skipped: it needs root, for dpkg in a root of its own'; exit 0; }
deb=$(ls "bin/dist/"*"$(dpkg --print-architecture).deb" 2>/dev/null | head -n 1)
[ -n "$deb" ] || { echo 'test-deb: there is no deb in bin/dist; run make dist' >&2; exit 1; }
root=${1:-}
if [ -z "$root" ]; then
  command -v debootstrap >/dev/null || { echo 'test-deb: skipped: debootstrap is missing (on Debian: apt-get install debootstrap)'; exit 0; }
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  debootstrap --variant=minbase --include=systemd bookworm "$root" >"$root.log" || { cat "$root.log" >&2; exit 1; }
  rm -f "$root.log"
fi
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
as() { inside setpriv --reuid threadmill --regid threadmill --init-groups "$@"; }
fail() { echo "test-deb: $*" >&2; exit 1; }

cp "$deb" "$root/threadmill.deb"
inside dpkg --install /threadmill.deb
inside threadmill version
[ "$(inside stat -c '%U:%G %a' /var/lib/threadmill)" = 'threadmill:threadmill 750' ] || fail 'the folder is not as it should be'
inside systemd-analyze verify --man=no threadmill.service threadmill@letters.service
[ -e "$root/usr/share/man/man1/threadmill-run.1.gz" ] || fail 'the man pages are missing'
[ -e "$root/usr/share/bash-completion/completions/threadmill" ] || fail 'the completions are missing'
as threadmill init --yes /var/lib/threadmill
as sh -c 'cd /var/lib/threadmill && threadmill threads'
inside dpkg --install /threadmill.deb # over itself, as an upgrade
inside dpkg --remove threadmill
[ ! -e "$root/usr/bin/threadmill" ] || fail 'the program is still there'
inside dpkg --purge threadmill
[ -e "$root/var/lib/threadmill/config.yaml" ] || fail 'the publication is gone'
echo 'test-deb: passed'
