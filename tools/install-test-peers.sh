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
'

PATH=$PATH:/usr/sbin:$(printf '%s:' /usr/lib/postgresql/*/bin) # where Debian keeps pgbouncer and initdb

missing=()
while IFS=: read -r program package what; do
  [ -n "$program" ] || continue
  command -v "$program" >/dev/null || missing+=("$program:$package:$what")
done <<<"$peers"
[ "${#missing[@]}" -gt 0 ] || exit 0

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
exit 0
