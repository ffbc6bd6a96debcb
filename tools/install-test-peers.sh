#!/usr/bin/env bash
# Some tests compare with programs that others wrote. Each of these tests skips itself and says so where its
# program is missing. This script installs what is missing where it may (Debian, as root), else it names it.
set -u

# program:Debian package:what is skipped without it
peers='
xmllint:libxml2-utils:the check of RSS and Atom by an XML parser
jing:jing:the check of Atom by its schema
newsboat:newsboat:the test of newsboat as a reader of the feeds
initdb:postgresql:the tests over PostgreSQL
pgbouncer:pgbouncer:the tests of a pooler before PostgreSQL
chromium:chromium:the tests of pages in a browser
'

PATH=$PATH:/usr/sbin:$(printf '%s:' /usr/lib/postgresql/*/bin) # where Debian keeps pgbouncer and initdb

missing=()
while IFS=: read -r program package what; do
  [ -n "$program" ] || continue
  command -v "$program" >/dev/null || missing+=("$program:$package:$what")
done <<<"$peers"

# axe-core finds what keeps people from using a page. It is a script for the browser, kept in the user's cache; npm
# fetches it, and it counts only with the very content that was looked at when the version was written here.
axe=4.14.1
axe_sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
axe_file=${XDG_CACHE_HOME:-$HOME/.cache}/threadmill/axe-$axe.min.js
fetch_axe() {
  [ ! -e "$axe_file" ] && command -v npm >/dev/null && command -v chromium >/dev/null || return 0
  local dir
  dir=$(mktemp -d) || return 0
  (cd "$dir" && npm pack --silent "axe-core@$axe" && tar xzf "axe-core-$axe.tgz" package/axe.min.js &&
    sha256sum --quiet -c <<<"$axe_sum  package/axe.min.js" && mkdir -p "${axe_file%/*}" && mv package/axe.min.js "$axe_file") >/dev/null 2>&1 </dev/null
  rm -rf "$dir"
}
name_axe() {
  [ -e "$axe_file" ] || echo "skipped: the check of pages by axe-core ($axe_file is missing; npm fetches it when this runs again)"
}
if [ "${#missing[@]}" -eq 0 ]; then
  fetch_axe
  name_axe
  exit 0
fi

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  packages=()
  for m in "${missing[@]}"; do
    IFS=: read -r _ package _ <<<"$m"
    packages+=("$package")
  done
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get install -qq --no-install-recommends "${packages[@]}" ||
    { apt-get update -qq && apt-get install -qq --no-install-recommends "${packages[@]}"; }; } >/dev/null 2>&1 </dev/null
fi

for m in "${missing[@]}"; do
  IFS=: read -r program package what <<<"$m"
  command -v "$program" >/dev/null || echo "skipped: $what ($program is missing; on Debian: apt-get install $package)"
done
fetch_axe
name_axe
exit 0
