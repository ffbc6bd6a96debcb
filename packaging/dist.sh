#!/usr/bin/env bash
# dist.sh VERSION [TARGET...] writes into bin/dist what a release consists of: an archive for each target
# (system/architecture), deb and rpm for those on Linux, and SHA256SUMS. The same commit gives the same bytes: no path,
# no time but that of the commit, or SOURCE_DATE_EPOCH where it is given. Needs Go, GNU tar, gzip and zip.
set -eu -o pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: dist.sh VERSION [TARGET...]}
shift
[ "$#" -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
tar --version | grep -q GNU || { echo 'dist: tar is not GNU tar, by which alone archives are the same each time' >&2; exit 1; }
command -v zip >/dev/null || { echo 'dist: zip is missing (on Debian: apt-get install zip)' >&2; exit 1; }
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C CGO_ENABLED=0
umask 022

out=bin/dist
rm -rf "$out"
mkdir -p "$out/work"
ldflags="-s -w -X main.version=$version"
build() { go build -trimpath -buildvcs=false -ldflags "$ldflags" "$@" ./cmd/threadmill; } # GOOS and GOARCH say for what
dated() { find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +; }

build -o "$out/work/here"
"$out/work/here" man "$out/work/man"
gzip -9 -n "$out/work/man/man1/"*.1
dated "$out/work/man"

# A package's version has no hyphen: 0.8.0-rc1 is before 0.8.0, and 0.8.0-12-gabcdef, as git describes a commit, after it.
# One that begins with no v and digit, such as a commit's alone, is older than all releases.
package=$(sed -E 's/-dirty$/+dirty/; s/-([0-9]+)-g([0-9a-f]+)/+\1.g\2/; s/-/~/g' <<<"${version#v}")
case $version in v[0-9]* | [0-9]*.*) ;; *) package=0.0.0~git.$package ;; esac

for target in "$@"; do
  system=${target%/*} arch=${target#*/}
  name=threadmill_${version#v}_${system}_$arch
  folder=$out/work/$name
  mkdir "$folder"
  exe=
  [ "$system" != windows ] || exe=.exe
  echo "building $name"
  GOOS=$system GOARCH=$arch build -o "$folder/threadmill$exe"
  cp LICENSE README.md CHANGELOG.md config.example.yaml "$folder/"
  [ "$system" = windows ] || cp -r "$out/work/man/man1" "$folder/"
  cp -r "$out/work/man/completions" "$folder/"
  [ "$system" != linux ] || cp packaging/threadmill.service packaging/threadmill@.service "$folder/"
  dated "$folder"
  if [ "$system" = windows ]; then
    (cd "$out/work" && find "$name" | sort | zip -q -X -9 "../$name.zip" -@)
  else
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=ustar \
      -C "$out/work" -cf - "$name" | gzip -9 -n >"$out/$name.tar.gz"
  fi
  if [ "$system" = linux ]; then
    for kind in deb rpm; do
      GOFLAGS='' ARCH=$arch PACKAGE_VERSION=$package BINARY=$folder/threadmill MAN=$out/work/man \
        go tool -modfile=tools/go.mod nfpm package --config packaging/nfpm.yaml --packager "$kind" --target "$out/"
    done
  fi
done
rm -rf "$out/work"
(cd "$out" && sha256sum -- * >SHA256SUMS)
cat "$out/SHA256SUMS"
